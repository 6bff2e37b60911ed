// Finds what has a name: pages, headings, functions, fields and options. `pages` is
// from pages.js: for each page its title, its address, and the ids on it.

const root = document.currentScript.dataset.root;
const box = document.querySelector('.search');
const input = box.querySelector('input');
const list = box.querySelector('ul');
const most = 20;

const entries = [];
for (const [title, address, ids] of pages) {
  entries.push({ name: title, page: '', address });
  for (const id of ids.split(' ').filter(Boolean))
    entries.push({ name: id.replace(/-/g, ' '), page: title, address: address + '#' + id });
}

// Lower is better: the name itself, how it begins, where a word of it begins.
function rank(entry, words) {
  const name = entry.name.toLowerCase();
  let worst = 0;
  for (const word of words) {
    const at = name.indexOf(word);
    if (at < 0)
      return Infinity;
    const begins = at === 0 || /[^a-z0-9]/.test(name[at - 1]);
    worst = Math.max(worst, name === word ? 0 : at === 0 ? 1 : begins ? 2 : 3);
  }
  return worst * 100 + name.length;
}

function show() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  list.replaceChildren();
  if (words.length === 0)
    return;
  const found = entries
    .map((entry) => ({ entry, rank: rank(entry, words) }))
    .filter((each) => each.rank < Infinity)
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most);
  for (const { entry } of found) {
    const link = document.createElement('a');
    link.href = root + entry.address;
    link.textContent = entry.name;
    const where = document.createElement('small');
    where.textContent = entry.page;
    link.append(' ', where);
    list.append(document.createElement('li'));
    list.lastChild.append(link);
  }
  if (found.length === 0)
    list.append('nothing has this name');
}

box.hidden = false;
input.addEventListener('input', show);
list.addEventListener('click', () => list.replaceChildren());
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== input) {
    event.preventDefault();
    input.focus();
  } else if (event.key === 'Escape') {
    input.value = '';
    show();
  } else if (event.key === 'Enter' && document.activeElement === input) {
    list.querySelector('a')?.click();
  }
});
