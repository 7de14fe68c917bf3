export default {
  render({ el }: { el: HTMLElement }): void {
    el.classList.add('dm-Result');
  }
};
