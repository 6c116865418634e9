import { type Page, page } from './page.ts';

/**
 * What waits for a person, with buttons to answer it. It asks for a key and keeps it for the tab only; all it shows of
 * runs is put there as text, never as markup, with what is hidden in it written out.
 */
export function waitingPage(): Page {
  return page('Waiting for a person', style, body, script);
}

const style = `
strong { white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: .75rem 0; font-size: .9rem; }
dt { opacity: .7; } dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.answers { display: flex; gap: .5rem; flex-wrap: wrap; margin-top: .75rem; }
.answers button { max-width: 100%; overflow-wrap: anywhere; } .answers input { flex: 1 1 12rem; min-width: 0; max-width: 24rem; }
`;

const body = `
<h1>Waiting for a person</h1>
<form id="door" hidden>
  <p>Enter your key to see what waits for you: a key of an admin, an operator or a role, or the token of an end user.
  Whoever runs this server can make one for you. It is kept until this tab is closed.</p>
  <label>Key <input id="key" type="password" autocomplete="off" required></label> <button>Show</button>
</form>
<p id="note" class="quiet" role="status"></p>
<main id="list" aria-live="polite"></main>
<p><a href="/docs">What this server can do</a></p>
`;

const script = `
'use strict';
const byId = (id) => document.getElementById(id);
const door = byId('door'), note = byId('note'), list = byId('list');
let key = sessionStorage.getItem('portia-key');

function tell(text, isWrong) {
  note.textContent = text;
  note.className = isWrong ? 'wrong' : 'quiet';
}

async function ask(method, path, body) {
  const answer = await fetch('/api/v1' + path, {
    method,
    headers: { ...(key && { authorization: 'Bearer ' + key }), ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const said = await answer.json();
  if (answer.status === 401) {
    // Nobody did anything wrong who was not asked for a key yet.
    const wasAsked = Boolean(key);
    sessionStorage.removeItem('portia-key');
    key = null;
    door.hidden = false;
    list.replaceChildren();
    tell(wasAsked ? said.detail : '', wasAsked);
    byId('key').focus();
    throw new Error('');
  }
  if (!answer.ok) throw new Error(said.detail || said.title);
  return said;
}

function element(tag, text, props) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, props);
}

function long(ms) {
  const minutes = Math.floor(ms / 60000);
  if (minutes < 1) return 'less than a minute';
  if (minutes < 120) return minutes + ' min';
  return minutes < 2880 ? Math.floor(minutes / 60) + ' h' : Math.floor(minutes / 1440) + ' days';
}

function until(time) {
  if (!time) return 'it is answered';
  const left = time - Date.now();
  return new Date(time).toLocaleString() + (left > 0 ? ', for another ' + long(left) : ', which has passed');
}

function who(audience) {
  if (audience === 'endUser') return 'the end user';
  return audience === 'operator' ? 'an operator' : 'the role ' + audience.replace(/^role:/, '');
}

// Questions come from models and tools, and people decide by what they see: what cannot be seen, or turns text around,
// is written out.
const hidden = /(?!\\n)[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\u{e0000}-\\u{e0fff}]/gu;
const plain = (text) => text.replace(hidden, (found) => '\\\\u{' + found.codePointAt(0).toString(16) + '}');

// Cards stay while they are open, with what is typed into them; only their times go on.
const times = new WeakMap();

function show(question) {
  const card = element('article');
  card.dataset.clarification = question.id;
  card.append(element('strong', plain(question.userGuidance)));
  const facts = element('dl');
  const fact = (name, text) => {
    const said = element('dd', plain(text));
    facts.append(element('dt', name), said);
    return said;
  };
  const { plan } = question;
  if (plan) {
    fact('Plan', plan.query);
    if (plan.step) fact('Step', plan.step + (plan.tool && !plan.tool.startsWith('local_function_') ? ', with ' + plan.tool : ''));
  }
  fact('End user', question.endUserId);
  fact('Asked of', who(question.audience));
  const waits = fact('Waiting', ''), open = fact('Open until', '');
  times.set(card, () => {
    waits.textContent = long(Date.now() - question.raisedAt);
    open.textContent = until(question.expiresAt);
  });
  times.get(card)();
  fact('Run', question.planRunId);
  card.append(facts);
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
    if (error.message) card.append(element('p', error.message, { className: 'wrong', role: 'alert' }));
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
    tell(items.length === 0 ? 'Nothing waits for you.' : items.length + (items.length === 1 ? ' question' : ' questions'));
    const known = new Set(items.map((one) => one.id));
    for (const card of [...list.children]) known.has(card.dataset.clarification) ? times.get(card)() : card.remove();
    const shown = new Set([...list.children].map((card) => card.dataset.clarification));
    for (const one of items) if (!shown.has(one.id)) list.append(show(one));
  } catch (error) {
    if (error.message) tell(error.message, true);
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
