// Finds operations, parameters, fields and schemas by the words in their names and summaries.
const input = document.getElementById("search");
const status = document.getElementById("search-status");
const results = document.getElementById("search-results");
const contents = document.getElementById("contents");
const limit = 50;

const entries = [...document.querySelectorAll("[data-search]")].map((element) => ({
    id: element.id,
    text: element.dataset.search,
    words: element.dataset.search.toLowerCase(),
}));

function search() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = words.length ? entries.filter((entry) => words.every((word) => entry.words.includes(word))) : [];
    results.replaceChildren(...found.slice(0, limit).map(({ id, text }) => {
        const link = document.createElement("a");
        link.href = `#${encodeURIComponent(id)}`;
        link.textContent = text;
        const item = document.createElement("li");
        item.append(link);
        return item;
    }));
    results.hidden = !found.length;
    contents.hidden = words.length > 0;
    const more = found.length > limit ? `, the first ${limit} shown` : "";
    status.textContent = words.length ? `${found.length} found${more}` : "";
}

input.addEventListener("input", search);
input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") results.querySelector("a")?.click();
});
document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== input && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        input.focus();
    }
});
// Without scripts there is nothing to search with.
document.getElementById("search-form").hidden = false;
