"use strict";
// Filters of the contact sheet. Without this script every picture is shown and nothing is missing.
(() => {
  const form = document.querySelector(".filters");
  const cards = [...document.querySelectorAll(".card")];
  const albums = [...document.querySelectorAll(".album")];
  const buttons = [...form.querySelectorAll("[data-state]")];
  const { rule, words, masks } = form.elements;
  const said = form.querySelector("output");
  const texts = new Map();
  let state = "";

  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, card.textContent.toLowerCase());
    return texts.get(card);
  };

  const matches = (card, sought) =>
    (!state || card.dataset.states.split(" ").includes(state)) &&
    (!rule.value || card.dataset.rules.split(" ").includes(rule.value)) &&
    sought.every((word) => textOf(card).includes(word));

  function apply() {
    const sought = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = !state && !rule.value && !sought.length;
    let shown = 0;
    for (const card of cards) {
      card.hidden = !all && !matches(card, sought);
      shown += card.hidden ? 0 : 1;
    }
    const severity = ["error", "warning", "note"].includes(state) ? state : "";
    for (const row of document.querySelectorAll(".rules > li, .related"))
      row.hidden = Boolean((rule.value && row.dataset.rule !== rule.value) || (severity && !row.classList.contains(severity)));
    for (const album of albums) {
      const sheet = album.querySelector(".sheet");
      const any = sheet ? sheet.querySelector(".card:not([hidden])") : null;
      // Faults of settings and of whole albums have no picture.
      const told = (rule.value || severity) && !sought.length && album.querySelector(".rules > li:not([hidden])");
      album.hidden = !all && !any && !told;
      const nothing = album.querySelector(".nothing");
      if (nothing) nothing.hidden = Boolean(any) || all;
    }
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.state === state));
    said.textContent = all ? "" : `${shown} of ${cards.length}`;
  }

  for (const button of buttons) {
    const count = cards.filter((card) => !button.dataset.state || card.dataset.states.split(" ").includes(button.dataset.state)).length;
    const number = document.createElement("span");
    number.textContent = String(count);
    button.append(" ", number);
    button.hidden = Boolean(button.dataset.state) && !count;
    button.addEventListener("click", () => {
      state = button.dataset.state;
      apply();
    });
  }
  rule.addEventListener("change", apply);
  words.addEventListener("input", apply);
  masks.addEventListener("change", () => document.body.classList.toggle("unmasked", !masks.checked));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.rule");
    if (!button) return;
    const card = button.closest(".album");
    state = "";
    rule.value = rule.value === button.dataset.rule ? "" : button.dataset.rule;
    apply();
    if (card && !card.hidden) button.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      words.focus();
    } else if (event.key === "Escape") {
      state = "";
      rule.value = "";
      words.value = "";
      apply();
    }
  });
  masks.closest("label").hidden = !document.querySelector(".mask");
  form.hidden = false;
})();
