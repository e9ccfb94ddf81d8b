"use strict";
// Numbers as people read them, and elements.

function rate(n) {
  return n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString("en");
}

function count(n) {
  return Math.round(n).toLocaleString("en");
}

function bytes(n) {
  const power = n < 1 ? 0 : Math.min(4, Math.floor(Math.log2(n) / 10));
  return `${(n / 1024 ** power).toFixed(power > 0 && n < 10 * 1024 ** power ? 1 : 0)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function duration(seconds) {
  if (seconds <= 0) return "–";
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(seconds < 1e-2 ? 2 : 1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

// Of what is looked at in days.
function age(seconds) {
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

// What comes from the gate only ever becomes text.
function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// columns: [{title, text(row), by(row) to sort, number, grade(row): "good", "bad", "warn"}]. Sorted by the
// column whose title was pressed last; before that by the first that is a number.
class Table {
  constructor(place, columns) {
    this.place = document.getElementById(place);
    this.columns = columns.map(one => ({...one}));  // what a column of another table is, too, has its own title here
    this.sorted = this.columns.find(one => one.number) || this.columns[0];
    this.down = Boolean(this.sorted.number);
    this.rows = [];
    const table = element("table");
    const titles = table.createTHead().insertRow();
    for (const one of this.columns) {
      one.head = element("th", undefined, {scope: "col"});
      const button = element("button", one.title, {type: "button"});
      button.addEventListener("click", () => this.sortBy(one));
      one.head.append(button);
      if (one.number) one.head.className = "number";
      titles.append(one.head);
    }
    this.body = table.createTBody();
    this.none = element("p", "none");
    this.place.append(table, this.none);
  }

  sortBy(column) {
    this.down = this.sorted === column ? !this.down : Boolean(column.number);
    this.sorted = column;
    this.show(this.rows);
  }

  show(rows) {
    this.rows = rows;
    const key = this.sorted.by || this.sorted.text;
    const order = (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (this.down ? -1 : 1);
    for (const one of this.columns) {
      one.head.setAttribute("aria-sort", one !== this.sorted ? "none" : this.down ? "descending" : "ascending");
    }
    this.none.hidden = rows.length > 0;
    this.body.parentElement.hidden = rows.length === 0;
    // Cells are kept: who reads or selects one is not disturbed each second.
    const sorted = [...rows].sort(order).slice(0, Table.most);
    while (this.body.rows.length > sorted.length) this.body.deleteRow(-1);
    sorted.forEach((row, i) => this.fill(this.body.rows[i] || this.body.insertRow(), row));
  }

  fill(line, row) {
    this.columns.forEach((one, i) => {
      const cell = line.cells[i] || line.insertCell();
      const text = String(one.text(row));
      const kind = [one.number ? "number" : "", one.grade ? one.grade(row) : ""].join(" ").trim();
      if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== kind) cell.className = kind;
    });
  }
}
Table.most = 100;
