import { useEffect, useRef, useState } from 'react';

/** The same kind of news is read out no more often than this. */
const QUIET_MS = 60_000;

/** Reads a changing sentence out to those who listen: at once on a new occasion, else once a minute. */
export function Announced({ sentence, occasion }: { sentence: string; occasion: string }) {
  const [said, setSaid] = useState('');
  const last = useRef({ occasion: '', at: 0 });
  useEffect(() => {
    const due = last.current.occasion !== occasion || Date.now() - last.current.at >= QUIET_MS;
    if (!due) return;
    last.current = { occasion, at: Date.now() };
    setSaid(sentence);
  }, [sentence, occasion]);
  return (
    <p role="status" className="sr-only">
      {said}
    </p>
  );
}
