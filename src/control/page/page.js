// What comes in events goes into charts and tables.
const LINES = ["--one", "--two", "--three", "--four"];
const text = (id, value) => { document.getElementById(id).textContent = value; };
const sum = (rows, key) => rows.reduce((all, row) => all + row[key], 0);

const charts = {
  requests: new Chart("chart-requests", [{label: "answered", colour: "--good"}, {label: "4xx", colour: "--warn"},
                                         {label: "5xx", colour: "--bad"}]),
  latency: new Chart("chart-latency", [{label: "p50", colour: "--one"}, {label: "p90", colour: "--two"},
                                       {label: "p99", colour: "--three"}]),
  cpu: new Chart("chart-cpu", []),
  connections: new Chart("chart-connections", [{label: "open", colour: "--one"}]),
};
const perSecond = (title, key, grade) => ({title, number: true, by: row => row[key], text: row => rate(row[key]), grade});
const bytesPerSecond = (title, key) => ({title, number: true, by: row => row[key], text: row => bytes(row[key])});
const time = (title, key) => ({title, number: true, by: row => row[key], text: row => duration(row[key])});
const name = {title: "Name", text: row => row.name};
const when = (key, grade) => row => (row[key] > 0 ? grade : "");
const tables = {
  routes: new Table("routes", [name, perSecond("Req/s", "requests_per_second"),
                               perSecond("4xx/s", "4xx_per_second", when("4xx_per_second", "warn")),
                               perSecond("5xx/s", "5xx_per_second", when("5xx_per_second", "bad")),
                               time("p50", "p50_seconds"), time("p90", "p90_seconds"), time("p99", "p99_seconds")]),
  callers: new Table("callers", [name, perSecond("Req/s", "requests_per_second"),
                                 perSecond("Refused/s", "refused_per_second", when("refused_per_second", "warn")),
                                 bytesPerSecond("In/s", "bytes_in_per_second"), bytesPerSecond("Out/s", "bytes_out_per_second")]),
  refusals: new Table("refusals", [{...name, title: "Reason"}, perSecond("Refused/s", "refused_per_second")]),
  servers: new Table("servers", [
    {title: "Upstream", text: row => row.upstream}, {title: "Server", text: row => row.server},
    {title: "State", text: row => row.state, grade: row => (row.state === "up" ? "good" : row.state === "drained" ? "warn" : "bad")}]),
  limits: new Table("limits", [name, perSecond("Admitted/s", "admitted_per_second"),
                               perSecond("Refused/s", "refused_per_second", when("refused_per_second", "warn")),
                               perSecond("Shadow/s", "shadow_refused_per_second")]),
  keys: new Table("keys", [{title: "Limit", text: row => row.limit}, {title: "Whose", text: row => row.whose},
                           {title: "Used", number: true, by: row => row.used, text: row => `${Math.round(row.used)} %`,
                            grade: row => (row.used >= 100 ? "bad" : row.used >= 80 ? "warn" : "")},
                           {title: "Left", number: true, by: row => row.left, text: row => `${row.left} of ${row.of}`}]),
  workers: new Table("workers", [name, {title: "CPU", number: true, by: row => row.cpu_percent, text: row => `${Math.round(row.cpu_percent)} %`},
                                 perSecond("Req/s", "requests_per_second"),
                                 {title: "Connections", number: true, by: row => row.connections, text: row => count(row.connections)}]),
  certificates: new Table("certificates", [
    {title: "For", text: row => row.role}, {title: "Name", text: row => row.name},
    {title: "Ends in", by: row => row.seconds_left, text: row => (row.seconds_left > 0 ? age(row.seconds_left) : "expired"),
     grade: row => (row.seconds_left < 7 * 86400 ? "bad" : row.seconds_left < 30 * 86400 ? "warn" : "")}]),
  machine: new Table("machine", [{title: "What", text: row => row.what}, {title: "Is", text: row => row.is},
                                 {title: "Costs", text: row => row.cost, grade: row => (row.cost ? "warn" : "")}]),
};

let paused = false;
let servers = [];
let status = null;

function total(title, value) {
  return [element("dt", title), element("dd", value)];
}

function showSample({top, upstreams}) {
  const now = Date.now() / 1000;
  const failed = sum(top.routes, "5xx_per_second");
  const refused = sum(top.routes, "4xx_per_second");
  charts.requests.add(now, [sum(top.routes, "requests_per_second") - failed - refused, refused, failed]);
  charts.latency.add(now, ["p50_seconds", "p90_seconds", "p99_seconds"].map(key => top[key] * 1e3));
  charts.cpu.use(top.workers.map((one, i) => ({label: one.name, colour: LINES[i % LINES.length]})));
  charts.cpu.add(now, top.workers.map(one => one.cpu_percent));
  charts.connections.add(now, [top.connections]);
  document.getElementById("totals").replaceChildren(
    ...total("requests/s", rate(top.requests_per_second)), ...total("refusals/s", rate(top.refusals_per_second)),
    ...total("connections", count(top.connections)), ...total("p50", duration(top.p50_seconds)),
    ...total("p99", duration(top.p99_seconds)), ...total("CPU", `${Math.round(top.cpu_percent)} %`));
  for (const key of ["routes", "callers", "refusals", "limits", "workers"]) tables[key].show(top[key]);
  servers = upstreams;
  tables.servers.show(servers);
  showAlarms();
}

function showStatus(said) {
  status = said.status;
  text("about", `${status.version} · up ${age(status.uptime_seconds)} · configuration loaded ${age(status.loaded_seconds_ago)} ago` +
    ` · ${count(status.reloads)} reloads, ${count(status.reloads_refused)} refused`);
  tables.certificates.show(status.certificates);
  tables.machine.show(status.machine);
  document.getElementById("keysets").replaceChildren(
    ...(status.key_sets.length ? status.key_sets : ["none"]).map(line => element("li", line)));
  tables.keys.show(said.fullest_keys.flatMap(limit => limit.top.map(key => (
    {limit: limit.limit, whose: key.name || key.key, left: key.left, of: key.of,
     used: key.of > 0 ? 100 * (key.of - key.left) / key.of : 100}))));
  showAlarms();
}

function showAlarms() {
  const alarms = servers.filter(one => one.state !== "up").map(one => `${one.upstream}: ${one.server} is ${one.state}`);
  if (status) {
    if (status.stale_configuration) alarms.push("the configuration on disk was refused");
    if (status.stale_files) alarms.push("files that the configuration names were refused");
    if (status.access_log_failing) alarms.push("the access log cannot be written");
    if (status.audit_log_failing) alarms.push("the audit log cannot be written");
    if (status.audit_records_dropped > 0) alarms.push(`${count(status.audit_records_dropped)} audit records were dropped`);
    for (const one of status.certificates.filter(one => one.seconds_left < 7 * 86400)) {
      alarms.push(`the certificate of ${one.name} ends in ${age(Math.max(0, one.seconds_left))}`);
    }
  }
  const list = document.getElementById("alarms");
  const before = [...list.children].map(one => one.textContent);
  if (alarms.join("\n") !== before.join("\n")) list.replaceChildren(...alarms.map(one => element("li", one)));
  if (!paused) text("state", status ? status.state : "connected");
  document.body.classList.toggle("alarmed", alarms.length > 0);
}

function listen() {
  const events = new EventSource("events");
  events.addEventListener("sample", event => paused || showSample(JSON.parse(event.data)));
  events.addEventListener("status", event => paused || showStatus(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    text("state", "not connected; trying again");
    document.body.classList.add("alarmed");
    // A refusal is not tried again by itself, as when the gate has too many watchers.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
}

function pause() {
  paused = !paused;
  document.getElementById("pause").setAttribute("aria-pressed", paused);
  text("state", paused ? "paused" : "connected");
}

function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  for (const one of Object.values(charts)) one.make();
}

function changeTheme() {
  const dark = colour("--is-dark") === "1";
  localStorage.setItem("theme", dark ? "light" : "dark");
  show(dark ? "light" : "dark");
}

document.getElementById("pause").addEventListener("click", pause);
document.getElementById("theme").addEventListener("click", changeTheme);
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "p") pause();
  if (event.key === "t") changeTheme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());
show(localStorage.getItem("theme"));
listen();
