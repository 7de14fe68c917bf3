import { OverviewModel } from '../model';
import { IRow } from '../tree';
import { IPanelActions } from './Panel';

/** What Enter or a double click does: open what a run has to show, or fold a branch. */
export function activate(
  row: IRow,
  model: OverviewModel,
  actions: IPanelActions,
  onToggle: (key: string) => void
): void {
  const { kind, account, id } = row.selection;
  if (kind === 'local' && id) {
    actions.openResult(null, id);
  } else if (kind === 'run' && account) {
    const found = model.find(row.selection);
    if (found?.run?.steps.includes('result')) {
      actions.openResult(account, id);
    } else {
      actions.openLogs(account, id, found?.model?.name ?? id);
    }
  } else {
    onToggle(row.key);
  }
}
