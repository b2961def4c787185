// What Gradio leaves out for who cannot use a mouse or see: the divider between before and after follows the arrow
// keys, and examples have names. A function of the page's words.

(words) => {
  const STEP = 5; // percent of the picture's width
  const MOVES = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, Home: -100, End: 100 };

  const share = (divider) => {
    const picture = divider.parentElement.getBoundingClientRect(), handle = divider.getBoundingClientRect();
    return Math.round((100 * (handle.left + handle.width / 2 - picture.left)) / picture.width);
  };

  // The divider is Gradio's and knows the mouse alone.
  const move = (divider, percent) => {
    const picture = divider.parentElement.getBoundingClientRect();
    const place = { clientX: picture.left + (picture.width * percent) / 100, clientY: picture.top, view: window, bubbles: true };
    divider.dispatchEvent(new MouseEvent("mousedown", place));
    window.dispatchEvent(new MouseEvent("mouseup", place));
  };

  const tell = (divider) => divider.setAttribute("aria-valuenow", share(divider));

  const equipDivider = (divider) => {
    for (const [name, value] of Object.entries({ role: "slider", tabindex: 0, "aria-label": words.divider })) {
      divider.setAttribute(name, value);
    }
    tell(divider);
    divider.addEventListener("pointerup", () => tell(divider));
    divider.addEventListener("keydown", (event) => {
      if (!(event.key in MOVES)) return;
      event.preventDefault();
      move(divider, Math.min(100, Math.max(0, share(divider) + MOVES[event.key])));
      requestAnimationFrame(() => tell(divider));
    });
  };

  const equip = () => {
    document.querySelectorAll("[data-testid=slider]:not([tabindex])").forEach(equipDivider);
    document.querySelectorAll(".gallery-item:not([aria-label])").forEach((example) => {
      const number = [...example.parentElement.children].indexOf(example) + 1;
      example.setAttribute("aria-label", words.example.replace("{number}", number));
    });
  };

  new MutationObserver(equip).observe(document.body, { childList: true, subtree: true });
  equip();
}
