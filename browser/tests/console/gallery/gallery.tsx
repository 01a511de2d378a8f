import { createRoot } from 'react-dom/client';
import { Console } from '../../../src/console/console';
import '../../../src/console/console.css';
import { SharedPage } from '../../../src/console/sharing/shared-page';
import { partsOf, SCENES } from './scenes';

/** Draws one scene: `?scene=offline`; without a name, links to all. Never part of the built page. */
const name = new URLSearchParams(location.search).get('scene');
const scene = name ? await SCENES[name]?.() : undefined;
const root = document.getElementById('root');
if (root && scene) {
  history.replaceState(null, '', scene.path);
  createRoot(root).render(
    scene.shared ? <SharedPage view={scene.shared} shareId="q2mX0v1uYH3l8r5d" /> : <Console parts={partsOf(scene)} />,
  );
  if (scene.press) void press(scene.press);
} else if (root) {
  createRoot(root).render(
    <ul>
      {Object.keys(SCENES).map((one) => (
        <li key={one}>
          <a href={`?scene=${one}`}>{one}</a>
        </li>
      ))}
    </ul>,
  );
}

/** Presses what a scene begins with, as soon as it is there. */
async function press(selector: string): Promise<void> {
  for (;;) {
    await new Promise(requestAnimationFrame);
    const target = document.querySelector<HTMLElement>(selector);
    if (!target) continue;
    target.focus();
    target.click();
    return;
  }
}
