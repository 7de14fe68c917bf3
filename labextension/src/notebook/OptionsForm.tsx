import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IOption, IOptions } from '../types';
import { Values, lineOf } from './magicline';

/** What the form of a dialog gives back. */
export interface IFilled {
  values: Values;
  rest: string;
}

/** The body of the dialog: one field for each option, and the line that comes of it. */
export class OptionsForm extends ReactWidget {
  constructor(
    private readonly magic: string,
    private readonly options: IOptions,
    filled: IFilled
  ) {
    super();
    this.addClass('dm-OptionsForm');
    this._filled = filled;
  }

  getValue(): IFilled {
    return this._filled;
  }

  protected render(): JSX.Element {
    return (
      <Form
        magic={this.magic}
        options={this.options}
        start={this._filled}
        onChange={filled => {
          this._filled = filled;
        }}
      />
    );
  }

  private _filled: IFilled;
}

interface IFormProps {
  magic: string;
  options: IOptions;
  start: IFilled;
  onChange(filled: IFilled): void;
}

/** Options that most people want, by magic; the others are one click away. */
const FIRST: { [magic: string]: string[] } = {
  backtest: ['data', 'to', 'start_date', 'end_date', 'initial_values', 'name'],
  deploy: ['name', 'message', 'project', 'plan', 'data', 'pace', 'exchange', 'live']
};

function Form({ magic, options, start, onChange }: IFormProps): JSX.Element {
  const [filled, setFilled] = React.useState(start);
  const set = (name: string, value: string) => {
    const next = { ...filled, values: { ...filled.values, [name]: value } };
    setFilled(next);
    onChange(next);
  };
  const shown = (option: IOption) =>
    FIRST[magic.replace(/%/g, '')]?.includes(option.name) || option.required || filled.values[option.name] !== undefined;
  const [more] = React.useState(() => options.options.filter(option => !shown(option)));
  const first = options.options.filter(option => !more.includes(option));
  const field = (option: IOption) => (
    <Field
      key={option.name}
      option={option}
      value={filled.values[option.name] ?? ''}
      onChange={value => set(option.name, value)}
    />
  );
  const line = `${magic} ${lineOf(filled.values, options.options, filled.rest)}`.trim();
  return (
    <>
      <div className="dm-Fields" tabIndex={-1}>
        <p className="dm-Hint">{options.summary}</p>
        <div className="dm-FieldGrid">{first.map(field)}</div>
        {more.length > 0 && (
          <details>
            <summary>More options</summary>
            <div className="dm-FieldGrid">{more.map(field)}</div>
          </details>
        )}
      </div>
      <p className="dm-Hint">This line goes into the notebook, which stays the record:</p>
      <output className="dm-Preview" aria-label="The magic">
        {line}
      </output>
    </>
  );
}

interface IFieldProps {
  option: IOption;
  value: string;
  onChange(value: string): void;
}

function Field({ option, value, onChange }: IFieldProps): JSX.Element {
  const id = `dm-option-${option.name}`;
  const label = capital(option.name.replace(/_/g, ' '));
  const common = {
    id,
    className: 'jp-mod-styled',
    'aria-describedby': `${id}-help`,
    required: option.required
  };
  const help = (
    <span id={`${id}-help`} className="dm-Help">
      {capital(option.help)}
    </span>
  );
  if (option.shape === 'switch') {
    return (
      <div className="dm-Field dm-mod-switch">
        <input
          {...common}
          type="checkbox"
          checked={value === 'true'}
          onChange={event => onChange(event.target.checked ? 'true' : '')}
        />
        <label htmlFor={id}>{label}</label>
        {help}
      </div>
    );
  }
  return (
    <div className={option.shape === 'one' ? 'dm-Field' : 'dm-Field dm-mod-wide'}>
      <label htmlFor={id}>{label}</label>
      {option.choices.length > 0 ? (
        <select {...common} value={value} onChange={event => onChange(event.target.value)}>
          <option value="">{option.default ?? '(not given)'}</option>
          {option.choices
            .filter(choice => choice !== option.default)
            .map(choice => (
              <option key={choice}>{choice}</option>
            ))}
        </select>
      ) : option.shape === 'one' ? (
        <input
          {...common}
          type="text"
          inputMode={option.kind === 'text' ? 'text' : 'decimal'}
          placeholder={option.default ?? ''}
          value={value}
          onChange={event => onChange(event.target.value)}
        />
      ) : (
        <textarea
          {...common}
          rows={Math.max(1, value.split('\n').length)}
          placeholder={option.shape === 'pairs' ? 'NAME=value, one a line' : 'one a line'}
          value={value}
          onChange={event => onChange(event.target.value)}
        />
      )}
      {help}
    </div>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
