import { type Page, page } from './page.ts';

/** The API, to browse: made from the document the server gives of itself, with nothing loaded from elsewhere. */
export function docsPage(): Page {
  return page(
    'API',
    'summary { cursor: pointer; } .method { display: inline-block; min-width: 4.5rem; font-weight: 600; }',
    body,
    script,
  );
}

const body = `
<h1>API</h1>
<p>As a document: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1). Send <code>Authorization: Api-Key &lt;key&gt;</code>.</p>
<input id="find" type="search" placeholder="Find" aria-label="Find">
<main id="list"></main>
`;

const script = `
'use strict';
const list = document.getElementById('list'), find = document.getElementById('find');
function element(tag, text, props) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, props);
}
let schemas = {};
function inFull(schema, depth) {
  if (Array.isArray(schema)) return schema.map((one) => inFull(one, depth));
  if (!schema || typeof schema !== 'object') return schema;
  if (schema.$ref) return depth > 4 ? schema.$ref : inFull(schemas[schema.$ref.split('/').pop()], depth + 1);
  return Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, inFull(value, depth)]));
}
function operation(path, method, described) {
  const details = element('details');
  const summary = element('summary');
  summary.append(element('span', method.toUpperCase(), { className: 'method' }), element('code', path), ' ', described.summary || '');
  details.append(summary);
  if (described.description) details.append(element('p', described.description));
  for (const parameter of described.parameters || []) {
    const { name, in: place, required, description, schema } = parameter;
    const facts = [place, required ? 'required' : 'optional', (schema && (schema.description || schema.type)) || '', description || ''];
    const line = element('p', undefined, { className: 'quiet' });
    line.append(element('code', name), ' \\u00b7 ' + facts.filter(Boolean).join(' \\u00b7 '));
    details.append(line);
  }
  const body = described.requestBody && described.requestBody.content['application/json'];
  if (body) details.append(element('h3', 'Body'), element('pre', JSON.stringify(inFull(body.schema, 0), null, 2)));
  for (const [status, answer] of Object.entries(described.responses)) {
    details.append(element('h3', status + ': ' + answer.description));
    const content = answer.content && Object.values(answer.content)[0];
    if (content && status !== 'default') details.append(element('pre', JSON.stringify(inFull(content.schema, 0), null, 2)));
  }
  details.dataset.text = (method + ' ' + path + ' ' + (described.summary || '')).toLowerCase();
  return details;
}
find.oninput = () => {
  for (const section of list.children) {
    const all = [...section.querySelectorAll('details')];
    for (const details of all) details.hidden = !details.dataset.text.includes(find.value.toLowerCase());
    section.hidden = all.every((details) => details.hidden);
  }
};
fetch('/openapi.json').then((answer) => answer.json()).then((api) => {
  schemas = api.components.schemas;
  const sections = new Map();
  for (const { name, description } of api.tags) {
    const section = element('section');
    section.append(element('h2', name));
    if (description) section.append(element('p', description, { className: 'quiet' }));
    sections.set(name, section);
    list.append(section);
  }
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, described] of Object.entries(methods))
      sections.get(described.tags[0]).append(operation(path, method, described));
});
`;
