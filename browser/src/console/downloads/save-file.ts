/** How long the frame is kept: until then the browser has begun, or the bucket has refused. */
const BEGUN_MS = 60_000;

/**
 * Has the browser save a file under the name that the bucket tells it. In a frame of its own: a bucket that answers with a page
 * of errors instead must not take the place of this page, which may be recording.
 */
export function saveFile(url: string, onRefused: () => void): void {
  const frame = document.createElement('iframe');
  frame.hidden = true;
  frame.title = 'A file on its way to the downloads of the browser';
  frame.src = url;
  const remove = () => frame.remove();
  const timer = setTimeout(remove, BEGUN_MS);
  // What is saved never loads here; what does is an error.
  frame.addEventListener('load', () => {
    clearTimeout(timer);
    remove();
    onRefused();
  });
  document.body.append(frame);
}
