// The positions of items: roles by severity, then each near the middle of its neighbours, so that few lines cross.
"use strict";

const SWEEPS = 6;

// The rows of the items of each column, in the order of the lists of `grouped`.
function placed(columns, lines) {
  const near = columns.map((column) => column.map(() => ({ left: [], right: [] })));
  for (const [column, from, to] of lines) {
    if (column > 1) continue;
    near[column][from].right.push(to);
    near[column + 1][to].left.push(from);
  }
  const rows = columns.map((column) => ranked(column.map((_, number) => number), (number) => number, column));
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const column of sweep % 2 ? [1, 0] : [1, 2]) {
      const wanted = columns[column].map((_, number) => middleOf(near[column][number], rows, column, sweep % 2));
      rows[column] = ranked(rows[column], (number) => wanted[number] ?? rows[column][number], columns[column]);
    }
  }
  return settled(columns, near, rows);
}

function middleOf(near, rows, column, backwards) {
  const toRight = column === 0 || (column === 1 && backwards);
  const found = toRight ? near.right.map((number) => rows[column + 1][number]) : near.left.map((number) => rows[column - 1][number]);
  return found.length ? found.reduce((sum, row) => sum + row, 0) / found.length : null;
}

// Rows 0, 1, 2, ... by severity, then by the wanted position, then by name.
function ranked(items, wanted, column) {
  const order = items.map((_, number) => number);
  const places = order.map(wanted);
  const before = (one, other) => column[one].level - column[other].level || places[one] - places[other];
  order.sort((one, other) => before(one, other) || compare(column[one].key, column[other].key));
  const rows = [];
  order.forEach((number, row) => { rows[number] = row; });
  return rows;
}

// The longest column has no gaps; items of the others move towards their neighbours.
function settled(columns, near, rows) {
  const height = Math.max(...columns.map((column) => column.length), 1);
  const longest = columns.findIndex((column) => column.length === height);
  const done = rows.map((column) => [...column]);
  const order = { 0: [1, 2], 1: [0, 2], 2: [1, 0] }[Math.max(longest, 0)];
  for (const column of order) {
    const side = column === 0 ? "right" : column === 2 ? "left" : longest === 0 ? "left" : "right";
    const other = done[side === "left" ? column - 1 : column + 1];
    const numbers = [...rows[column].keys()].sort((one, two) => rows[column][one] - rows[column][two]);
    let least = 0;
    for (const number of numbers) {
      const found = near[column][number][side].map((item) => other[item]);
      const middle = found.length ? found.reduce((sum, row) => sum + row, 0) / found.length : least;
      done[column][number] = Math.max(middle, least);
      least = done[column][number] + 1;
    }
    let most = height - 1;
    for (const number of numbers.reverse()) {
      done[column][number] = Math.min(done[column][number], most);
      most = done[column][number] - 1;
    }
  }
  return { rows: done, height };
}
