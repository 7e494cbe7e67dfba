// The difference of two texts by words and signs: a longest common subsequence.
const MOST_TOKENS = 600;

function tokens(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

// Runs of [kind, text]; kind is "" for what both have, "ins" for what only `text` has, "del" for what only `gold` has.
function differences(gold, text) {
  const [a, b] = [tokens(gold), tokens(text)];
  if (a.length > MOST_TOKENS || b.length > MOST_TOKENS) return gold === text ? [["", text]] : [["ins", text]];
  const longest = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const runs = [];
  const add = (kind, token) => {
    if (runs.length && runs.at(-1)[0] === kind) runs.at(-1)[1] += token;
    else runs.push([kind, token]);
  };
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      add("", a[i++]);
      j++;
    } else if (j === b.length || (i < a.length && longest[i + 1][j] >= longest[i][j + 1])) add("del", a[i++]);
    else add("ins", b[j++]);
  }
  return runs;
}

function marked(gold, text) {
  return differences(gold, text).map(([kind, part]) => {
    // Layout alone is no difference worth a mark.
    if (!kind || !part.trim()) return kind === "del" ? "" : part;
    return element(kind, {}, part);
  });
}
