"use strict";
(() => {
  const all = (root, selector) => [...root.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\[(\w+)\]/g, (_, name) => values[name]);

  // What a cell says to a program: numbers in full, words in English.
  const machine = (cell) => {
    const copy = cell.cloneNode(true);
    for (const part of all(copy, "svg")) part.remove();
    for (const part of all(copy, "data, time, [data-value]"))
      part.textContent = part.dataset.value ?? part.dateTime ?? part.value;
    for (const part of all(copy, "br")) part.replaceWith("; ");
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  // Sorting.
  const weight = (text) => {
    const [over, under] = text.split("/");
    const number = under ? Number(over) / Number(under) : Number(text);
    return text !== "" && Number.isFinite(number) ? number : null;
  };
  const compare = (a, b) => {
    const [x, y] = [weight(a), weight(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x !== null ? -1 : 1;
    return a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (table, header) => {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of all(table, "thead th")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [machine(row.cells[header.cellIndex]), row]);
    rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])));
    table.tBodies[0].append(...rows.map((row) => row[1]));
  };
  for (const table of all(document, "table.sortable"))
    for (const header of all(table, "thead th")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, header));
    }

  // Filters and exports.
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  // A text that a spreadsheet would take for a formula is set off by an apostrophe.
  const field = (text) => {
    const safe = /^[=+@\t\r-]/.test(text) && weight(text) === null ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const records = (tables) => tables.flatMap((table) => {
    const columns = all(table, "thead th").map((header) => header.dataset.column);
    const about = table.caption.textContent.replace(/\s+/g, " ").trim();
    const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
    return rows.map((row) => ({
      table: about,
      ...Object.fromEntries(columns.map((column, index) => [column, machine(row.cells[index])])),
    }));
  });
  for (const tools of all(document, "form.tools")) {
    const scope = document.getElementById(tools.dataset.for);
    const tables = all(scope, "table.sortable");
    const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
    const words = new Map(rows.map((row) => {
      const article = row.closest("article");
      const statement = article?.querySelector(".statement")?.textContent ?? "";
      const title = article?.querySelector("h3")?.textContent ?? "";
      return [row, `${title} ${statement} ${row.textContent}`.toLowerCase()];
    }));
    const [text, verdict, state] = ["text", "verdict", "state"].map((name) => tools.querySelector(`.tools-${name}`));
    const apply = () => {
      const wanted = text.value.trim().toLowerCase();
      let shown = 0;
      for (const row of rows) {
        const fits = (!wanted || words.get(row).includes(wanted)) && (!verdict?.value || row.dataset.verdict === verdict.value);
        row.hidden = !fits;
        shown += fits;
      }
      for (const article of all(scope, "article"))
        article.hidden = !all(article, "table.sortable tbody tr").some((row) => !row.hidden);
      state.textContent = fill(state.dataset.text, { shown, all: rows.length });
    };
    tools.addEventListener("submit", (event) => event.preventDefault());
    tools.addEventListener("input", apply);
    tools.querySelector(".tools-csv").addEventListener("click", () => {
      const found = records(tables);
      const columns = [...new Set(found.flatMap((record) => Object.keys(record)))];
      const lines = [columns, ...found.map((record) => columns.map((column) => record[column] ?? ""))];
      save(`${tools.dataset.name}.csv`, "text/csv;charset=utf-8", lines.map((line) => `${line.map(field).join(",")}\r\n`).join(""));
    });
    tools.querySelector(".tools-json").addEventListener("click", () =>
      save(`${tools.dataset.name}.json`, "application/json", `${JSON.stringify(records(tables), null, 1)}\n`));
    tools.hidden = false;
    apply();
  }

  // Files compared with the list.
  const section = document.getElementById("files");
  const drop = section.querySelector(".drop");
  const state = section.querySelector(".files-state");
  const result = section.querySelector(".files-result");
  const listed = () => new Map(document.getElementById("files-list").textContent.split("\n").filter(Boolean)
    .map((line) => [line.slice(66), line.slice(0, 64)]));
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const digest = async (file) => {
    try {
      return hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    } catch {
      return null;
    }
  };
  const row = (path, outcome, found) => {
    const line = document.createElement("tr");
    line.dataset.state = outcome;
    for (const text of [path, section.dataset[outcome], found ?? ""]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      line.append(cell);
    }
    return line;
  };
  // A manifest with the listed SHA-256 vouches for the files that it lists.
  const extend = async (list, files) => {
    const manifest = files.get("dossier.json");
    if (!manifest || !list.has("dossier.json") || (await digest(manifest)) !== list.get("dossier.json")) return;
    for (const file of JSON.parse(await manifest.text()).files) list.set(file.path, file.sha256);
  };
  let turn = 0;
  const check = async (files) => {
    const mine = ++turn;
    state.textContent = section.dataset.busy;
    const list = listed();
    await extend(list, files);
    const count = { matches: 0, differs: 0, missing: 0, failed: 0, unlisted: 0 };
    const rows = [];
    for (const path of [...new Set([...list.keys(), ...files.keys()])].sort()) {
      const file = files.get(path);
      const found = file && (await digest(file));
      const outcome = !file ? "missing" : found === null ? "failed" : !list.has(path) ? "unlisted"
        : found === list.get(path) ? "matches" : "differs";
      count[outcome] += 1;
      rows.push(row(path, outcome, found));
    }
    if (mine !== turn) return;
    result.querySelector("tbody").replaceChildren(...rows);
    result.hidden = false;
    state.textContent = fill(section.dataset.total, count);
  };
  const inside = (path) => path.split("/").slice(1).join("/");
  const entries = (reader) => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  const gather = async (entry, files) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      const path = entry.fullPath.replace(/^\//, "");
      files.set(path.includes("/") ? inside(path) : path, file);
      return;
    }
    const reader = entry.createReader();
    for (let some = await entries(reader); some.length; some = await entries(reader))
      for (const each of some) await gather(each, files);
  };
  if (!globalThis.crypto?.subtle) state.textContent = section.dataset.impossible;
  else {
    drop.hidden = false;
    drop.querySelector("input").addEventListener("change", (event) => {
      const files = [...event.target.files];
      if (files.length) check(new Map(files.map((file) => [inside(file.webkitRelativePath) || file.name, file])));
    });
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", async (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const files = new Map();
      for (const entry of [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()))
        if (entry) await gather(entry, files);
      if (files.size) await check(files);
    });
  }

  // Nothing stays folded on paper.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all(document, "details:not([open])");
    for (const part of opened) part.open = true;
  });
  addEventListener("afterprint", () => { for (const part of opened) part.open = false; });
})();
