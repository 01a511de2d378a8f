import { useEffect, useState } from 'react';
import { Announcer } from './announcer';

/** Reads a changing sentence out to those who listen: at once on a new occasion, else when it is due. */
export function Announced({ sentence, occasion }: { sentence: string; occasion: string }) {
  const [said, setSaid] = useState('');
  const [announcer] = useState(() => new Announcer(setSaid));
  useEffect(() => announcer.hear(sentence, occasion), [announcer, sentence, occasion]);
  useEffect(() => () => announcer.stop(), [announcer]);
  return (
    <p role="status" className="sr-only">
      {said}
    </p>
  );
}
