// Asking the server, and showing what comes.
const byId = (id) => document.getElementById(id);
const EXAMPLES = {
  java: "public int total(int[] values, int limit) {\n    int sum = 0;\n    for (int value : values) {\n        if (value > limit) {\n"
    + "            sum += value;\n        }\n    }\n    return sum;\n}\n",
  python: "def total(values, limit):\n    result = 0\n    for value in values:\n        if value > limit:\n            result += value\n"
    + "    return result\n",
};
const TESTS = {
  java: "@Test\npublic void testTotal() {\n    int[] values = {1, 5, 9};\n    int result = total(values, 4);\n    @;\n}\n\n",
  python: "def test_total():\n    result = total([1, 5, 9], 4)\n    @\n\n",
};
let served = [];
let asking = null;

function headers() {
  const token = byId("token").value.trim();
  return { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
}

function chosen() {
  return served.find((found) => found.name === byId("transducer").value) ?? null;
}

function example(transducer, language) {
  const code = EXAMPLES[language] ?? "";
  const test = TESTS[language] ?? "";
  return transducer.placeholder && code ? test.replace("@", () => transducer.placeholder) + code : transducer.placeholder ? "" : code;
}

function problem(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

async function load() {
  const answer = await fetch("v1/transducers", { headers: headers() });
  if (answer.status === 401) {
    byId("token-field").hidden = false;
    byId("hint").textContent = "This server wants a token.";
    return;
  }
  served = await answer.json();
  byId("transducer").replaceChildren(...served.map((found) => new Option(found.name === found.task ? found.name : `${found.name} (${found.task})`, found.name)));
  if (!served.length) problem("No transducer is served yet.");
  else choose();
}

function choose() {
  const transducer = chosen();
  const before = byId("language").value;
  byId("language").replaceChildren(...transducer.languages.map((name) => new Option(name, name)));
  if (transducer.languages.includes(before)) byId("language").value = before;
  byId("beams").value = transducer.beams;
  byId("tokens").value = transducer.max_new_tokens;
  const hint = byId("hint");
  hint.textContent = `${transducer.summary[0].toUpperCase()}${transducer.summary.slice(1)}.`;
  if (transducer.placeholder) {
    const code = document.createElement("code");
    code.textContent = transducer.placeholder;
    hint.append(" Put ", code, " where the answer belongs, and the function under test behind the test.");
  }
  suggest();
}

// An example where nothing of the reader's own would be lost.
function suggest() {
  const code = byId("code");
  if (!code.value.trim() || code.value === code.dataset.suggested) {
    code.value = code.dataset.suggested = example(chosen(), byId("language").value);
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    const blocks = held.split("\n\n");
    held = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block);
      const data = /^data: (.*)$/m.exec(block);
      if (name && data) yield [name[1], JSON.parse(data[1])];
    }
  }
}

async function ask() {
  asking?.abort();
  const own = (asking = new AbortController());
  problem("");
  const answer = byId("answer");
  answer.textContent = "";
  answer.classList.add("writing");
  byId("facts").textContent = "";
  byId("result").hidden = false;
  byId("read").hidden = true;
  byId("send").disabled = true;
  delete document.documentElement.dataset.answered;
  try {
    const options = { stream: true, explain: true, beams: Number(byId("beams").value) || null, max_new_tokens: Number(byId("tokens").value) || null };
    const body = JSON.stringify({ transducer: byId("transducer").value, language: byId("language").value, code: byId("code").value, options });
    const response = await fetch("v1/generate", { method: "POST", headers: headers(), body, signal: own.signal });
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const [name, data] of events(response.body)) {
      if (name === "text") answer.textContent += data.text;
      else if (name === "error") throw new Error(data.error.message);
      else if (name === "done") show(data);
    }
  } catch (error) {
    if (own.signal.aborted) return;
    byId("result").hidden = !answer.textContent;
    problem(error instanceof TypeError ? "The server cannot be reached; is it still running?" : error.message);
  } finally {
    if (asking === own) {
      answer.classList.remove("writing");
      byId("send").disabled = false;
      document.documentElement.dataset.answered = "true";
    }
  }
}

function show(data) {
  const answer = byId("answer");
  answer.textContent = data.answer || "(an empty answer)";
  const others = data.batch.requests > 1 ? `, together with ${data.batch.requests - 1} other requests` : "";
  byId("facts").textContent = `${data.output_tokens} tokens from ${data.input_tokens} in ${data.seconds.total.toFixed(2)} s${others}`
    + (data.finish === "length" ? "; cut at the limit of tokens" : "") + (data.truncated ? "; the code was longer than the model reads, and was cut" : "");
  if (data.explanation) {
    byId("read").hidden = false;
    heatMap(byId("heatmap"), data.explanation);
  }
}

themeButton(byId("theme"));
byId("ask").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
byId("transducer").addEventListener("change", choose);
byId("language").addEventListener("change", suggest);
byId("token").addEventListener("change", load);
byId("code").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
});
load().catch(() => problem("The server cannot be reached; is it still running?")).finally(() => {
  document.documentElement.dataset.ready = "true";
});
