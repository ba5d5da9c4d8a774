// Makes or shows a passkey: asks our own server for a question, lets the browser answer it, and sends the answer with the form.
"use strict";

(() => {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      answer(form);
    });
  }

  async function answer(form) {
    say(form, "Waiting for the passkey.");
    try {
      const question = decoded(await asked(form));
      const made =
        form.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey: question })
          : await navigator.credentials.get({ publicKey: question });
      form.elements.answer.value = JSON.stringify(encoded(made));
      form.submit();
    } catch {
      say(form, "That did not work. Try again, or use an authenticator app.");
    }
  }

  async function asked(form) {
    const answer = await fetch(form.dataset.question, {
      method: "POST",
      headers: { "X-CSRFToken": form.elements.csrf_token.value },
      redirect: "error",
      cache: "no-store",
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  function decoded(question) {
    question.challenge = bytes(question.challenge);
    if (question.user) question.user.id = bytes(question.user.id);
    for (const list of ["excludeCredentials", "allowCredentials"]) {
      for (const each of question[list] || []) each.id = bytes(each.id);
    }
    return question;
  }

  function encoded(made) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[name]) response[name] = text(made.response[name]);
    }
    return { id: made.id, rawId: text(made.rawId), type: made.type, response };
  }

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (char) => char.charCodeAt(0));
  }

  function text(buffer) {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function say(form, words) {
    form.querySelector("[data-words]").textContent = words;
  }
})();
