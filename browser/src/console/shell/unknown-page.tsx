import { Button } from '../ui/button';
import { Link } from '../ui/link';
import { Main } from './main';

/** For an address that names nothing here. */
export function UnknownPage() {
  return (
    <Main>
      <h1 className="font-semibold text-[22px] tracking-[-0.01em]">There is no such page</h1>
      <p className="mt-2 mb-5 text-soft">The address may be cut short. Nothing of your recordings depends on it.</p>
      <Button asChild>
        <Link href="/recordings">To the recordings</Link>
      </Button>
    </Main>
  );
}
