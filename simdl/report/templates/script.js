"use strict";
// One switch for the language and one for the theme; both are remembered where that is allowed.
(function () {
  const root = document.documentElement;
  function kept(key) { try { return localStorage.getItem(key); } catch { return null; } }
  function keep(key, value) { try { localStorage.setItem(key, value); } catch { /* not allowed */ } }

  function speak(language) {
    root.lang = language;
    document.title = root.dataset[language === "zh" ? "titleZh" : "titleEn"] + " - simdl";
    for (const drawn of document.querySelectorAll("[data-label-en]")) {
      drawn.setAttribute("aria-label", drawn.dataset[language === "zh" ? "labelZh" : "labelEn"]);
    }
    const button = document.getElementById("language");
    if (button) {
      button.textContent = language === "zh" ? "English" : "中文";
      button.lang = language === "zh" ? "en" : "zh";
    }
  }

  function dark() {
    const theme = root.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  const theme = kept("simdl-theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  const chosen = kept("simdl-language");
  const first = (navigator.language || "en").startsWith("zh") ? "zh" : "en";
  const language = chosen === "zh" || chosen === "en" ? chosen : first;
  root.lang = language;

  document.addEventListener("DOMContentLoaded", function () {
    speak(root.lang);
    document.getElementById("language").addEventListener("click", function () {
      speak(root.lang === "zh" ? "en" : "zh");
      keep("simdl-language", root.lang);
    });
    document.getElementById("theme").addEventListener("click", function () {
      root.dataset.theme = dark() ? "light" : "dark";
      keep("simdl-theme", root.dataset.theme);
    });
  });
})();
