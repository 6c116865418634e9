import type { JsonObject } from '../../core/json.ts';
import type { BrowserPage } from './browser-session.ts';

/** What a page shows, in words, with the elements that can be used numbered. */
export interface PageView {
  readonly url: string;
  readonly title: string;
  readonly text: string;
  readonly elements: readonly string[];
}

/** What a model says to do next. */
export interface BrowserAction {
  readonly action: 'open' | 'click' | 'type' | 'select' | 'back' | 'scroll' | 'done' | 'login';
  readonly element?: number | null;
  readonly text?: string | null;
  readonly url?: string | null;
  readonly submit?: boolean | null;
  readonly output?: unknown;
  readonly guidance?: string | null;
}

/** The schema of an action; `output` as the task's result is asked for. */
export function actionSchema(output: JsonObject): JsonObject {
  const nullable = (type: string, description: string): JsonObject => ({ type: [type, 'null'], description });
  return {
    type: 'object',
    properties: {
      action: {
        type: 'string',
        enum: ['open', 'click', 'type', 'select', 'back', 'scroll', 'done', 'login'],
        description: 'What to do next; done when the task is finished, login when a person has to sign in first',
      },
      element: nullable('integer', 'The number of the element, for click, type and select'),
      text: nullable('string', 'What to type, or the option to select'),
      submit: nullable('boolean', 'Whether Enter is pressed after typing'),
      url: nullable('string', 'The address to open, or for login the page to sign in at'),
      output: { anyOf: [output, { type: 'null' }], description: 'The result of the task, for done' },
      guidance: nullable('string', 'What the person has to do, for login'),
    },
    required: ['action', 'element', 'text', 'submit', 'url', 'output', 'guidance'],
    additionalProperties: false,
  };
}

const lookAt = `(() => {
  const shown = (e) => { const r = e.getBoundingClientRect(); const s = getComputedStyle(e); return r.width > 0 && r.height > 0 && s.visibility !== 'hidden'; };
  const words = (e) => (e.getAttribute('aria-label') || e.labels?.[0]?.innerText || e.placeholder || e.innerText || e.value || e.title || e.name || '').replace(/\\s+/g, ' ').trim().slice(0, 120);
  for (const e of document.querySelectorAll('[data-portia-element]')) e.removeAttribute('data-portia-element');
  const all = [...document.querySelectorAll('a[href], button, input, select, textarea, [role=button], [role=link], [role=checkbox], [role=tab], [contenteditable=true]')];
  const elements = all.filter((e) => shown(e) && e.type !== 'hidden').slice(0, 150).map((e, i) => {
    e.setAttribute('data-portia-element', String(i));
    const kind = e.tagName.toLowerCase() + (e.type && e.tagName === 'INPUT' ? ' ' + e.type : '');
    const options = e.tagName === 'SELECT' ? ' (' + [...e.options].slice(0, 30).map((o) => o.label).join(' | ') + ')' : '';
    return kind + ' ' + JSON.stringify(e.type === 'password' ? '' : words(e)) + options;
  });
  return { text: (document.body?.innerText || '').replace(/\\n{3,}/g, '\\n\\n').slice(0, 12000), elements };
})()`;

/** Reads a page. It is read as people see it: what is hidden is not part of it. */
export async function viewPage(page: BrowserPage): Promise<PageView> {
  const { text, elements } = await page.evaluate<{ text: string; elements: readonly string[] }>(lookAt);
  return { url: page.url(), title: (await page.title()).slice(0, 200), text, elements };
}

/** Whether a numbered element is a field for a password. */
export async function isPasswordField(page: BrowserPage, element: number): Promise<boolean> {
  return page.evaluate<boolean>(`document.querySelector('[data-portia-element="${element}"]')?.type === 'password'`);
}

/** The selector of a numbered element. */
export function elementSelector(element: number): string {
  return `[data-portia-element="${element}"]`;
}
