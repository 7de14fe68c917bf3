import { LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

interface IIconButtonProps {
  icon: LabIcon;
  label: string;
  disabled?: boolean;
  onClick(): void;
}

/** A button that is only an icon to the eye, and has a name for everybody. */
export function IconButton({ icon, label, disabled, onClick }: IIconButtonProps): JSX.Element {
  return (
    <button
      className="dm-IconButton"
      title={label}
      aria-label={label}
      disabled={disabled}
      onClick={onClick}
    >
      <icon.react tag="span" aria-hidden="true" width="16px" height="16px" />
    </button>
  );
}
