import plugins from '../index';

describe('the plugins', () => {
  it('have ids in one namespace', () => {
    for (const plugin of plugins) {
      expect(plugin.id).toMatch(/^deploy-magics:/);
    }
  });
});
