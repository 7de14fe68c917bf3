import * as React from 'react';

import { ago } from '../format';
import { IFound, OverviewModel } from '../model';
import { messageOf } from '../request';
import { IRevision } from '../types';
import { State } from './State';

/** The uploads of a version, where a platform keeps them apart; asked for when they are looked at. */
export function Revisions({ found, model }: { found: IFound; model: OverviewModel }): JSX.Element {
  const { account, version } = found;
  const [revisions, setRevisions] = React.useState<IRevision[] | null>(null);
  const [problem, setProblem] = React.useState('');
  const place = version?.steps.includes('revisions') ? version.id : null;
  React.useEffect(() => {
    let wanted = true;
    setProblem('');
    if (account && place) {
      model.api
        .revisions(account.id, place)
        .then(answer => wanted && setRevisions(answer))
        .catch(error => wanted && setProblem(messageOf(error)));
    }
    return () => {
      wanted = false;
    };
  }, [account?.id, account?.state, place, version?.revision, version?.status]);
  if (!account || !place) {
    return <></>;
  }
  if (!revisions) {
    return <p role="status">{problem || 'Looking for its revisions…'}</p>;
  }
  const activate = (revision: IRevision) =>
    void model.perform(`Building ${revision.name} anew`, () =>
      model.api.activate(account.id, revision.id)
    );
  return (
    <ul className="dm-Revisions" aria-label="Revisions">
      {revisions.length === 0 && <li>Nothing was uploaded to this version yet.</li>}
      {revisions.map(each => (
        <li key={each.id}>
          <code>{each.name}</code>
          <State state={each.state} text={each.serves ? 'serves' : each.status} />
          <span className="dm-Detail">{[ago(each.createdAt), each.by].filter(Boolean).join(', ')}</span>
          {each.steps.includes('activate') && (
            <button
              className="jp-mod-styled"
              disabled={account.state !== 'online'}
              aria-label={`Serve revision ${each.name} again`}
              title="Builds it anew; it serves once that went well"
              onClick={() => activate(each)}
            >
              Serve again
            </button>
          )}
          {each.error && <p className="dm-Problem">{each.error}</p>}
        </li>
      ))}
    </ul>
  );
}
