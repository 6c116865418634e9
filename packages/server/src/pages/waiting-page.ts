import { type Page, page } from './page.ts';

/**
 * What waits for a person, with buttons to answer it. It asks for a key and keeps it for the tab only; all it shows of
 * runs is put there as text, never as markup, with what is hidden in it written out.
 */
export function waitingPage(): Page {
  return page(
    'Waiting for a person',
    'strong { white-space: pre-wrap; overflow-wrap: anywhere; } .answers { display: flex; gap: .5rem; flex-wrap: wrap; margin-top: .75rem; }',
    body,
    script,
  );
}

const body = `
<h1>Waiting for a person</h1>
<form id="door" hidden>
  <p>A key of an admin, an operator or a role, or a token of an end user. It is kept until this tab is closed.</p>
  <label>Key <input id="key" type="password" autocomplete="off" required></label> <button>Show</button>
</form>
<p id="note" class="quiet" role="status"></p>
<main id="list" aria-live="polite"></main>
<p class="quiet"><a href="/docs">What this server can do</a></p>
`;

const script = `
'use strict';
const byId = (id) => document.getElementById(id);
const door = byId('door'), note = byId('note'), list = byId('list');
let key = sessionStorage.getItem('portia-key');

async function ask(method, path, body) {
  const answer = await fetch('/api/v1' + path, {
    method,
    headers: { ...(key && { authorization: 'Bearer ' + key }), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const said = await answer.json();
  if (answer.status === 401) {
    sessionStorage.removeItem('portia-key');
    door.hidden = false;
    list.replaceChildren();
  }
  if (!answer.ok) throw new Error(said.detail || said.title);
  return said;
}

function element(tag, text, props) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, props);
}

function ago(time) {
  const minutes = Math.floor((Date.now() - time) / 60000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return minutes + ' min ago';
  return minutes < 2880 ? Math.floor(minutes / 60) + ' h ago' : Math.floor(minutes / 1440) + ' days ago';
}

// Questions come from models and tools, and people decide by what they see: what cannot be seen, or turns text around,
// is written out.
const hidden = /(?!\\n)[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\u{e0000}-\\u{e0fff}]/gu;
const plain = (text) => text.replace(hidden, (found) => '\\\\u{' + found.codePointAt(0).toString(16) + '}');

function show(question) {
  const card = element('article');
  card.dataset.clarification = question.id;
  card.append(element('strong', plain(question.userGuidance)));
  const facts = [question.category, 'for ' + plain(question.audience), ago(question.raisedAt), question.planRunId];
  if (question.expiresAt) facts.push('until ' + new Date(question.expiresAt).toLocaleString());
  card.append(element('p', facts.join(' \\u00b7 '), { className: 'quiet' }));
  if (question.data) card.append(element('pre', plain(JSON.stringify(question.data, null, 2))));
  if (question.actionUrl) card.append(element('a', question.actionUrl, { href: question.actionUrl, rel: 'noreferrer noopener', target: '_blank' }));
  const answers = element('div', undefined, { className: 'answers' });
  const button = (text, response) => answers.append(element('button', plain(text), { onclick: () => answer(card, question, response()) }));
  if (question.category === 'User Verification') {
    button('Yes', () => true);
    button('No', () => false);
  } else if (question.category === 'Multiple Choice') {
    for (const option of question.options) button(typeof option === 'string' ? option : JSON.stringify(option), () => option);
  } else if (question.category === 'Action') {
    button('It is done', () => true);
  } else {
    const field = element('input', undefined, { ariaLabel: 'Answer', value: '' });
    answers.append(field);
    button('Answer', () => field.value);
  }
  card.append(answers);
  return card;
}

async function answer(card, question, response) {
  const buttons = card.querySelectorAll('button');
  for (const one of buttons) one.disabled = true;
  card.querySelector('.wrong')?.remove();
  try {
    const path = '/runs/' + encodeURIComponent(question.planRunId) + '/clarifications/' + encodeURIComponent(question.id) + '/answer';
    await ask('POST', path, { response });
    card.remove();
    await refresh();
  } catch (error) {
    card.append(element('p', error.message, { className: 'wrong', role: 'alert' }));
    for (const one of buttons) one.disabled = false;
  }
}

async function refresh() {
  try {
    let items = [], cursor = null, pages = 0;
    do {
      const page = await ask('GET', '/clarifications?limit=100' + (cursor ? '&cursor=' + encodeURIComponent(cursor) : ''));
      items.push(...page.items);
      cursor = page.cursor;
    } while (cursor && ++pages < 10);
    door.hidden = true;
    note.textContent = items.length === 0 ? 'Nothing waits for you.' : items.length + (items.length === 1 ? ' question' : ' questions');
    const known = new Set(items.map((one) => one.id));
    for (const card of [...list.children]) if (!known.has(card.dataset.clarification)) card.remove();
    const shown = new Set([...list.children].map((card) => card.dataset.clarification));
    for (const one of items) if (!shown.has(one.id)) list.append(show(one));
  } catch (error) {
    note.textContent = error.message;
  }
}

door.onsubmit = (event) => {
  event.preventDefault();
  key = byId('key').value.trim();
  byId('key').value = '';
  sessionStorage.setItem('portia-key', key);
  refresh();
};
refresh();
setInterval(() => door.hidden && document.visibilityState === 'visible' && refresh(), 5000);
`;
