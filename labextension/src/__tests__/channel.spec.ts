import { KernelMessage } from '@jupyterlab/services';

import { announcementIn } from '../notebook/channel';

function message(msg_type: string, content: object): KernelMessage.IMessage {
  return { header: { msg_type }, content } as unknown as KernelMessage.IMessage;
}

describe('announcementIn', () => {
  it('reads what the magics say', () => {
    const transient = {
      display_id: 'deploy_magics',
      deploy_magics: { kind: 'marks', cells: ['a'] }
    };
    const found = announcementIn(message('update_display_data', { data: {}, transient }));
    expect(found).toEqual({ kind: 'marks', cells: ['a'] });
  });

  it.each([
    ['stream', { name: 'stdout', text: 'x' }],
    ['update_display_data', { data: {}, transient: { display_id: 'other' } }],
    ['update_display_data', { data: {} }]
  ])('leaves other messages alone: %s', (type, content) => {
    expect(announcementIn(message(type, content))).toBeNull();
  });
});
