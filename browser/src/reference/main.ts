/** The reference of the API: Scalar over `/openapi.json`, from our own files, in our colours. */

// As a file of its own: it is built already.
import scalarUrl from '@scalar/api-reference/browser/standalone.js?url';
import theme from './theme.css?inline';

interface Scalar {
  createApiReference(element: Element, configuration: Readonly<Record<string, unknown>>): unknown;
}

declare global {
  var Scalar: Scalar | undefined;
}

const DOCUMENT = '/openapi.json';

/** Nothing is loaded from, or told to, anybody but this control plane: no fonts, no proxy, no telemetry, no sharing. */
const CONFIGURATION = {
  url: DOCUMENT,
  theme: 'none',
  customCss: theme,
  withDefaultFonts: false,
  telemetry: false,
  showDeveloperTools: 'never',
  hideClientButton: true,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideDarkModeToggle: true,
  authentication: { preferredSecurityScheme: 'bearer' },
  persistAuth: false,
  defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
  documentDownloadType: 'json',
  expandAllResponses: false,
  defaultOpenAllTags: true,
  orderRequiredPropertiesFirst: true,
  metaData: { title: 'Safereel API reference' },
};

const place = document.getElementById('reference');
if (!place) throw new Error('The page has no place for the reference');

load(scalarUrl).then(
  () => {
    place.replaceChildren();
    globalThis.Scalar?.createApiReference(place, CONFIGURATION);
    place.removeAttribute('aria-busy');
  },
  () => sayItFailed(place),
);

function load(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = url;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${url} could not be loaded`));
    document.head.append(script);
  });
}

function sayItFailed(place: HTMLElement): void {
  const words = document.createElement('p');
  words.className = 'waiting';
  words.setAttribute('role', 'alert');
  const link = Object.assign(document.createElement('a'), { href: DOCUMENT, textContent: 'The OpenAPI document' });
  words.append('The reference could not be loaded: reload the page. ', link, ' says the same.');
  place.replaceChildren(words);
  place.removeAttribute('aria-busy');
}
