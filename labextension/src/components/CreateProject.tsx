import * as React from 'react';

import { host } from '../format';
import { OverviewModel } from '../model';
import { IAccount } from '../types';

interface ICreateProjectProps {
  model: OverviewModel;
  accounts: IAccount[];
  onDone(): void;
}

export function CreateProject({ model, accounts, onDone }: ICreateProjectProps): JSX.Element {
  const [name, setName] = React.useState('');
  const [description, setDescription] = React.useState('');
  const [account, setAccount] = React.useState(accounts[0]?.id ?? '');
  const first = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => first.current?.focus(), []);

  const submit = async (event: React.FormEvent) => {
    event.preventDefault();
    await model.perform(`Creating ${name}`, () =>
      model.api.createProject(account, name, description)
    );
    if (model.problem === null) {
      onDone();
    }
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onDone();
    }
  };
  return (
    <form
      className="dm-Form"
      aria-label="New project"
      onSubmit={event => void submit(event)}
      onKeyDown={onKeyDown}
    >
      <label>
        Name
        <input
          ref={first}
          className="jp-mod-styled"
          required
          value={name}
          onChange={event => setName(event.target.value)}
        />
      </label>
      <label>
        Description
        <input
          className="jp-mod-styled"
          value={description}
          onChange={event => setDescription(event.target.value)}
        />
      </label>
      {accounts.length > 1 && (
        <label>
          On
          <select
            className="jp-mod-styled"
            value={account}
            onChange={event => setAccount(event.target.value)}
          >
            {accounts.map(each => (
              <option key={each.id} value={each.id}>
                {each.embedded ? 'this machine' : host(each.server)} ({each.platform})
              </option>
            ))}
          </select>
        </label>
      )}
      <div className="dm-Buttons">
        <button type="button" className="jp-mod-styled jp-mod-reject" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={!name.trim()}>
          Create project
        </button>
      </div>
    </form>
  );
}
