// Opens the admin page in Chromium and does one thing with it: page.js CHROMIUM URL THING [WORD...]. Prints what it
// found as JSON; `errors` are the browser's own: exceptions, console errors, requests to anybody else.
const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

const [program, url, thing, ...words] = process.argv.slice(2);
let browser;

async function open(options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", error => errors.push(`exception: ${error.message}`));
  page.on("console", line => ["error", "warning"].includes(line.type()) && errors.push(`console: ${line.text()}`));
  page.on("request", asked => asked.url().startsWith(url) || asked.url().startsWith("data:") || errors.push(`asked for ${asked.url()}`));
  await page.goto(url, { waitUntil: "domcontentloaded" });
  await page.waitForSelector("#totals dd", { timeout: 60000 }).catch(async error => {
    throw new Error([error.message, ...errors, await page.textContent("body")].join("\n"));
  });
  return { page, errors, context };
}

const cells = (page, table) => page.$$eval(`#${table} tbody tr`, all => all.map(row => [...row.cells].map(cell => cell.textContent)));

const things = {
  // What it shows, once so many requests a second have shown themselves.
  async load(least) {
    const { page, errors } = await open();
    await page.waitForSelector("#routes tbody tr");
    await page.waitForSelector("#machine tbody tr");
    await page.waitForSelector("#keys tbody tr");
    // All of one moment: the next second may bring fewer.
    const shown = await page.waitForFunction(most => {
      const all = Object.fromEntries([...document.querySelectorAll("#totals dt")].map(one => [one.textContent, one.nextElementSibling.textContent]));
      return Number(all["requests/s"].replaceAll(",", "")) >= most ? all : null;
    }, Number(least), { timeout: 60000 });
    const drawn = await page.$$eval(".charts canvas", all => all.map(one => {
      const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }));
    const found = { totals: await shown.jsonValue(), drawn, errors, state: await page.textContent("#state"), about: await page.textContent("#about") };
    for (const table of ["routes", "callers", "refusals", "servers", "limits", "keys", "workers", "certificates", "machine"]) found[table] = await cells(page, table);
    return found;
  },
  // Says so when the server is up, waits for a line, then how long it took to show that it is not.
  async killed() {
    const { page, errors } = await open();
    await page.waitForSelector("#servers td.good", { timeout: 60000 });
    console.log("up");
    await new Promise(resolve => createInterface({ input: process.stdin }).once("line", resolve));
    const from = Date.now();
    await page.waitForSelector("#servers td.bad", { timeout: 60000 });
    const took = Date.now() - from;
    const colour = await page.$eval("#servers td.bad", one => getComputedStyle(one).color);
    await page.waitForSelector("#alarms li");
    return { took, colour, alarms: await page.$$eval("#alarms li", all => all.map(one => one.textContent)), errors };
  },
  // Light, dark and a narrow screen; keys alone.
  async looks() {
    const found = {};
    for (const scheme of ["light", "dark"]) {
      const { page, errors, context } = await open({ colorScheme: scheme, viewport: { width: 360, height: 740 } });
      const ground = () => page.$eval("body", one => getComputedStyle(one).backgroundColor);
      found[scheme] = { ground: await ground(), too_wide: await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), errors };
      await page.keyboard.press("t");
      found[scheme].other = await ground();
      await page.keyboard.press("p");
      found[scheme].paused = await page.getAttribute("#pause", "aria-pressed");
      const reached = new Set();
      for (let i = 0; i < 80; ++i) {
        await page.keyboard.press("Tab");
        reached.add(await page.evaluate(() => document.activeElement.textContent.trim().slice(0, 20)));
      }
      found[scheme].reached = [...reached];
      if (words.length) await page.screenshot({ path: `${words[0]}-${scheme}.png`, fullPage: true });
      await context.close();
    }
    const { page } = await open({ viewport: { width: 1400, height: 900 } });
    await page.focus("#routes th:nth-child(1) button");
    await page.keyboard.press("Enter");
    found.sorted = await page.getAttribute("#routes th:nth-child(1)", "aria-sort");
    if (words.length) await page.screenshot({ path: `${words[0]}-wide.png`, fullPage: true });
    return found;
  },
  // With HTTP's own dialogue for a password.
  async password(password) {
    const { page, errors } = await open({ httpCredentials: { username: "me", password } });
    return { state: await page.textContent("#state"), errors };
  },
  // What a browser makes of a script that somebody has put into the page.
  async injected() {
    const { page } = await open();
    await page.evaluate(() => { const one = document.createElement("script"); one.textContent = "window.ran = true"; document.body.append(one); });
    const refused = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", error => error.message));
    return { ran: await page.evaluate(() => window.ran === true), refused };
  },
};

async function main() {
  browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
  try {
    console.log(JSON.stringify(await things[thing](...words)));
  } finally {
    await browser.close();
  }
}

main().catch(error => {
  console.error(error);
  process.exitCode = 1;
});
