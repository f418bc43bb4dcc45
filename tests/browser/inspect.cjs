// Opens a report in a browser, uses it as a reader would, and prints what happened as JSON.
// node inspect.cjs MODULES CHROMIUM PAGE DOSSIER CHANGED OUTPUT
"use strict";
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const { resolve, join } = require("node:path");

const [modules, executablePath, page, dossier, changed, output] = process.argv.slice(2).map((path) => resolve(path));
const load = createRequire(join(modules, "node_modules", "x.js"));
const { chromium } = load("playwright-core");
const axe = readFileSync(load.resolve("axe-core/axe.min.js"), "utf8");
const address = pathToFileURL(page).href;
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const opened = async (browser, options, noise) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const tab = await context.newPage();
  tab.on("console", (message) => noise.push(`${message.type()}: ${message.text()}`));
  tab.on("pageerror", (error) => noise.push(`error: ${error.message}`));
  tab.on("request", (request) => { if (request.url() !== address && !request.url().startsWith("blob:")) noise.push(`request: ${request.url()}`); });
  await tab.goto(address);
  return tab;
};

const column = (tab, table, index) => tab.locator(`${table} tbody tr:visible`).evaluateAll(
  (rows, at) => rows.map((row) => (row.cells[at].querySelector("data")?.value ?? row.cells[at].textContent).trim()), index);

const sorting = async (tab) => {
  const table = "#effort table";
  const header = tab.locator(`${table} thead th[data-column="total"]`);
  const index = await header.evaluate((cell) => cell.cellIndex);
  const found = { before: await column(tab, table, index), states: [await header.getAttribute("aria-sort")] };
  for (const name of ["up", "down"]) {
    await header.getByRole("button").click();
    found[name] = await column(tab, table, index);
    found.states.push(await header.getAttribute("aria-sort"));
  }
  const other = tab.locator(`${table} thead th[data-column="leaves"]`);
  await other.getByRole("button").focus();
  await tab.keyboard.press("Enter");
  found.states.push(await header.getAttribute("aria-sort"), await other.getAttribute("aria-sort"));
  return found;
};

const saved = async (tab, button) => {
  const [download] = await Promise.all([tab.waitForEvent("download"), tab.locator(button).click()]);
  const path = join(output, download.suggestedFilename());
  await download.saveAs(path);
  return { name: download.suggestedFilename(), text: readFileSync(path, "utf8") };
};

const filtering = async (tab) => {
  const tools = 'form.tools[data-for="matrix"]';
  const rows = () => tab.locator("#matrix tbody tr:visible").evaluateAll((all) => all.map((row) => row.dataset.verdict));
  const found = { all: await rows() };
  await tab.selectOption(`${tools} select`, "refuted");
  found.refuted = await rows();
  found.csv = await saved(tab, `${tools} .tools-csv`);
  found.json = await saved(tab, `${tools} .tools-json`);
  await tab.selectOption(`${tools} select`, "");
  const text = await tab.locator("#matrix tbody tr th").first().textContent();
  await tab.fill(`${tools} input`, `  ${text.toUpperCase()} `);
  found.text = { asked: text, rows: await tab.locator("#matrix tbody tr:visible").allTextContents() };
  await tab.fill(`${tools} input`, "nothing like this");
  found.none = await rows();
  found.state = await tab.locator(`${tools} output`).textContent();
  const list = 'form.tools[data-for="requirement-list"]';
  await tab.selectOption(`${list} select`, "refuted");
  found.articles = await tab.locator("article:visible").evaluateAll((all) => all.map((each) => each.className));
  found.verifications = await saved(tab, `${list} .tools-csv`);
  await tab.selectOption(`${list} select`, "");
  return found;
};

const checking = async (tab, folder) => {
  await tab.setInputFiles("#files-input", folder);
  await tab.waitForFunction(() => document.querySelector(".files-result:not([hidden])"));
  await tab.waitForFunction((busy) => document.querySelector(".files-state").textContent !== busy,
    await tab.locator("#files").getAttribute("data-busy"));
  const rows = await tab.locator(".files-result tbody tr").evaluateAll((all) => all.map((row) => [row.cells[0].textContent, row.dataset.state]));
  return { total: await tab.locator(".files-state").textContent(), files: Object.fromEntries(rows) };
};

const accessibility = async (tab) => {
  await tab.evaluate(() => { for (const part of document.querySelectorAll("details")) part.open = true; });
  await tab.evaluate(axe);
  const result = await tab.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  return result.violations.map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`).join(" | ")}`);
};

const main = async () => {
  const args = process.getuid() === 0 ? ["--no-sandbox"] : []; // as root the browser's sandbox does not start
  const browser = await chromium.launch({ executablePath, args });
  const found = { noise: [], version: browser.version() };
  const tab = await opened(browser, { colorScheme: "light" }, found.noise);
  found.sorting = await sorting(tab);
  found.filtering = await filtering(tab);
  found.intact = await checking(tab, dossier);
  found.changed = await checking(tab, changed);
  found.folded = await tab.locator("details:not([open])").count();
  const pdf = await tab.pdf({ preferCSSPageSize: true, path: join(output, "report.pdf") });
  found.pdf = { head: pdf.subarray(0, 5).toString(), bytes: pdf.length, folded: await tab.locator("details:not([open])").count() };
  found.first = await tab.evaluate(async () => {
    document.body.focus();
    return null;
  });
  await tab.reload();
  await tab.keyboard.press("Tab");
  found.skip = await tab.evaluate(() => ({ href: document.activeElement.getAttribute("href"), top: document.activeElement.getBoundingClientRect().top }));
  found.axe = {};
  for (const colorScheme of ["light", "dark"])
    found.axe[colorScheme] = await accessibility(await opened(browser, { colorScheme }, found.noise));
  const narrow = await opened(browser, { viewport: { width: 320, height: 800 } }, found.noise);
  found.narrow = await narrow.evaluate(() => document.documentElement.scrollWidth);
  const still = await opened(browser, { javaScriptEnabled: false }, []);
  found.scriptless = {
    tools: await still.locator(".tools:visible, .drop:visible, thead button:visible").count(),
    tables: await still.locator("table:visible").count(),
    notice: await still.locator("noscript").count(),
  };
  await browser.close();
  process.stdout.write(JSON.stringify(found));
};

main().catch((error) => { console.error(error); process.exit(1); });
