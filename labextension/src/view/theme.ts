/** Colours of the surroundings, as text that a canvas understands. */
export interface IColors {
  background: string;
  text: string;
  grid: string;
  gain: string;
  loss: string;
  lines: string[];
}

const LIGHT_LINES = ['#1565c0', '#a04d00', '#00796b', '#8e24aa', '#c2185b', '#5d4037'];
const DARK_LINES = ['#64b5f6', '#ffb74d', '#4db6ac', '#ce93d8', '#f48fb1', '#bcaaa4'];

/**
 * The colours around `element`: JupyterLab's, VS Code's, or black on white.
 */
export function colorsOf(element: HTMLElement): IColors {
  const background = resolve(element, '--jp-layout-color0', '--vscode-editor-background', '#fff');
  const dark = isDark(background);
  return {
    background,
    text: resolve(element, '--jp-ui-font-color1', '--vscode-editor-foreground', '#222'),
    grid: dark ? '#3a3a3a' : '#e6e6e6',
    gain: dark ? '#4db6ac' : '#00796b',
    loss: dark ? '#ef9a9a' : '#b71c1c',
    lines: dark ? DARK_LINES : LIGHT_LINES
  };
}

/** Calls `listener` when the theme around changes; returns how to stop. */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  const attributeFilter = ['data-jp-theme-name', 'data-jp-theme-light', 'class'];
  observer.observe(document.body, { attributes: true, attributeFilter });
  return () => observer.disconnect();
}

/** Whether text on this colour has to be light. */
export function isDark(color: string): boolean {
  const [red, green, blue] = (color.match(/[\d.]+/g) ?? ['255', '255', '255']).map(Number);
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

function resolve(element: HTMLElement, lab: string, code: string, otherwise: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${lab}, var(${code}, ${otherwise}))`;
  element.appendChild(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color || otherwise;
}
