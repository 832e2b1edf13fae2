let isPointerDown = false;
addEventListener('pointerdown', () => (isPointerDown = true), true);
for (const end of ['pointerup', 'pointercancel']) addEventListener(end, () => (isPointerDown = false), true);

/**
 * Puts what is new in place of what was. Whoever is at a control (by its `data-key`) stays at it, and a button that is
 * being pressed is not taken from under the finger: the next look comes in two seconds.
 */
export function show(container: HTMLElement, ...children: readonly (Node | string)[]): void {
  const active = document.activeElement;
  const isInside = active instanceof HTMLElement && container.contains(active);
  if (isPointerDown && container.hasChildNodes() && container.matches(':hover')) return;
  const key = isInside ? active.dataset.key : undefined;
  container.replaceChildren(...children);
  if (key === undefined) return;
  for (const control of container.querySelectorAll<HTMLElement>('[data-key]')) {
    if (control.dataset.key === key) return control.focus({ preventScroll: true });
  }
}
