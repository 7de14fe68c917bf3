// Draws what the Python side sends; every text goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

// it scrolls, by keys too
const LOG = { role: "group", "aria-label": "Log", "data-place": "log", tabindex: "0" };

function number(value, digits = 2) {
  if (value == null || Number.isNaN(value)) return "–";
  return value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

function signed(value) {
  if (value == null) return make("span", {}, "–");
  const text = `${value > 0 ? "+" : ""}${number(value)}`;
  return make("span", { class: value < 0 ? "dm-down" : value > 0 && "dm-up" }, text);
}

function clock(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString().slice(5, 16).replace("T", " ") : "–";
}

function curve(points) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 400 64");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Profit over time");
  if (points.length < 2) return svg;
  const times = points.map((point) => point[0]);
  const values = points.map((point) => point[1]);
  const [start, end] = [Math.min(...times), Math.max(...times)];
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const x = (time) => 2 + (396 * (time - start)) / (end - start || 1);
  const y = (value) => 60 - (56 * (value - low)) / (high - low || 1);
  const line = (path, stroke, dash) => {
    const drawn = document.createElementNS(SVG, "path");
    drawn.setAttribute("d", path);
    drawn.setAttribute("fill", "none");
    drawn.setAttribute("stroke", stroke);
    drawn.setAttribute("vector-effect", "non-scaling-stroke");
    drawn.setAttribute("stroke-width", dash ? "1" : "1.5");
    if (dash) drawn.setAttribute("stroke-dasharray", dash);
    svg.append(drawn);
  };
  line(`M0,${y(0)} L400,${y(0)}`, "#9e9e9e", "3 3");
  const path = points.map((p, i) => `${i ? "L" : "M"}${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`);
  line(path.join(" "), values[values.length - 1] < 0 ? "#b3261e" : "#1565c0");
  return svg;
}

/** Which button this is, so that it can be found again after a redraw. */
function place(element) {
  const bot = element.closest("section")?.getAttribute("aria-label");
  return `${bot} ${element.dataset.place ?? element.textContent}`;
}

function table(label, heads, rows) {
  const head = heads.map(([text, numeric]) => make("th", { class: numeric && "dm-num" }, text));
  const body = rows.map((cells) =>
    make(
      "tr",
      {},
      ...cells.map((cell, i) => make("td", { class: heads[i][1] && "dm-num" }, cell)),
    ),
  );
  return make(
    "table",
    { "aria-label": label },
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
}

function render({ model, el }) {
  const root = make("div", { class: "dm-bots" });
  el.append(root);
  let sure = null; // "bot/trade" whose exit was pressed once
  let timer = null;

  const send = (bot, command, trade) => model.send({ bot, do: command, trade });

  function exitButton(bot, trade) {
    const key = `${bot.name}/${trade.id}`;
    const asked = sure === key;
    const press = () => {
      clearTimeout(timer);
      if (asked) {
        sure = null;
        send(bot.name, "exit", trade.id);
      } else {
        sure = key;
        timer = setTimeout(() => {
          sure = null;
          draw();
        }, 5000);
      }
      draw();
    };
    const label = asked ? "Sure?" : "Exit";
    const name = `${asked ? "Sure? " : ""}Exit trade ${trade.id}`;
    const attributes = { class: asked && "dm-sure", disabled: off(bot), onclick: press };
    return make("button", { ...attributes, "aria-label": name, "data-place": trade.id }, label);
  }

  const off = (bot) => model.get("ended") || bot.state === "away" || bot.state === "reading";

  function buttons(bot) {
    const one = (label, command) =>
      make("button", { disabled: off(bot), onclick: () => send(bot.name, command) }, label);
    return make(
      "div",
      {},
      one("Start", "start"),
      one("Stop", "stop"),
      one("Stop entry", "stopentry"),
      one("Reload", "reload"),
    );
  }

  function money(bot) {
    const slots = bot.slots[1] < 1 ? `${bot.slots[0]}` : `${bot.slots[0]} of ${bot.slots[1]}`;
    const fact = (label, value) => make("div", {}, make("span", { class: "dm-faint" }, label), value);
    const currencies = bot.currencies
      .map((each) => `${each.currency} ${number(each.balance, each.balance < 1 ? 6 : 2)}`)
      .join(", ");
    return make(
      "div",
      { class: "dm-money" },
      fact("profit, open and closed", make("b", {}, signed(bot.profit), ` ${bot.stake}`)),
      fact("closed", make("b", {}, signed(bot.profit_closed))),
      fact("balance", make("b", { title: currencies }, `${number(bot.balance)} ${bot.stake}`)),
      fact("open trades", make("b", {}, slots)),
    );
  }

  function card(bot) {
    const how = model.get("ended") ? "no longer read" : bot.via;
    const facts = bot.version ? `${bot.strategy} · ${bot.version} · ${how}` : bot.url;
    const mode = bot.version && !bot.dry_run ? make("span", { class: "dm-real" }, "REAL MONEY") : null;
    const open = bot.trades.map((trade) => [
      `#${trade.id}`,
      trade.pair,
      trade.pending ? `${trade.side}, order open` : trade.side,
      number(trade.open_rate),
      number(trade.rate),
      signed(trade.profit),
      signed(trade.percent),
      exitButton(bot, trade),
    ]);
    const closed = bot.closed.map((trade) => [
      `#${trade.id}`,
      trade.pair,
      clock(trade.closed),
      signed(trade.profit),
      signed(trade.percent),
      trade.reason,
    ]);
    const money_ = bot.at ? [money(bot), curve(bot.curve)] : [];
    return make(
      "section",
      { class: "dm-bot", "aria-label": `Bot ${bot.name}` },
      make(
        "header",
        {},
        make("h3", {}, bot.name),
        make("span", { class: "dm-state", "data-state": bot.state }, bot.state),
        mode,
        make("span", { class: "dm-faint" }, facts),
      ),
      bot.problem ? make("div", { class: "dm-down", role: "alert" }, bot.problem) : null,
      ...money_,
      buttons(bot),
      make("div", { class: "dm-note dm-faint", role: "status" }, model.get("notes")[bot.name] ?? ""),
      open.length
        ? table(
            "Open trades",
            [["trade"], ["pair"], ["side"], ["bought", 1], ["now", 1], [bot.stake, 1], ["%", 1], ["exit"]],
            open,
          )
        : make("div", { class: "dm-faint" }, "No open trades."),
      closed.length
        ? table(
            "Closed trades",
            [["closed"], ["pair"], ["UTC"], [bot.stake, 1], ["%", 1], ["why"]],
            closed,
          )
        : null,
      bot.logs.length ? make("pre", LOG, bot.logs.join("\n")) : null,
    );
  }

  let held = false; // a button is pressed down: redrawing now would swallow the click

  function draw() {
    if (held) return;
    const focused = root.contains(document.activeElement) ? place(document.activeElement) : null;
    const scrolled = new Map();
    for (const log of root.querySelectorAll("pre")) {
      const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      if (!atEnd) scrolled.set(place(log), log.scrollTop);
    }
    root.replaceChildren(...model.get("bots").map(card));
    for (const log of root.querySelectorAll("pre")) {
      log.scrollTop = scrolled.get(place(log)) ?? log.scrollHeight;
    }
    if (focused) [...root.querySelectorAll("button, pre")].find((b) => place(b) === focused)?.focus();
  }

  function release() {
    held = false;
    setTimeout(draw); // after the click
  }

  root.addEventListener("pointerdown", () => (held = true));
  document.addEventListener("pointerup", release);
  document.addEventListener("pointercancel", release);

  model.on("change:bots", draw);
  model.on("change:notes", draw);
  model.on("change:ended", draw);
  draw();
  return () => {
    clearTimeout(timer);
    model.off("change:bots", draw);
    model.off("change:notes", draw);
    model.off("change:ended", draw);
    document.removeEventListener("pointerup", release);
    document.removeEventListener("pointercancel", release);
  };
}

export default { render };
