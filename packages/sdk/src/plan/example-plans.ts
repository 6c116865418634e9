import { Plan } from '../core/plan.ts';

let plans: readonly Plan[] | undefined;

/**
 * The plans the planner is shown when the caller gives none: steps that feed each other, a tool that finds an id, a
 * plan input, and a condition on every step it applies to.
 */
export function defaultExamplePlans(): readonly Plan[] {
  plans ??= Object.freeze([compareRivers(), moveAppointment(), overdueInvoice()]);
  return plans;
}

function compareRivers(): Plan {
  return new Plan({
    planContext: {
      query:
        'Which carries more water today, the Rhine at Basel or the Danube at Ulm? Send the answer to ana@example.org',
      toolIds: ['river_gauge', 'acme:mail:send'],
    },
    steps: [
      {
        task: 'Get the current flow of the Rhine at Basel',
        inputs: [],
        toolId: 'river_gauge',
        output: '$rhine_flow',
        condition: null,
      },
      {
        task: 'Get the current flow of the Danube at Ulm',
        inputs: [],
        toolId: 'river_gauge',
        output: '$danube_flow',
        condition: null,
      },
      {
        task: 'Say which river carries more water now, with both figures',
        inputs: [
          { name: '$rhine_flow', description: 'Flow of the Rhine at Basel' },
          { name: '$danube_flow', description: 'Flow of the Danube at Ulm' },
        ],
        toolId: 'llm_tool',
        output: '$comparison',
        condition: null,
      },
      {
        task: 'Send the comparison to ana@example.org',
        inputs: [{ name: '$comparison', description: 'Which river carries more water' }],
        toolId: 'acme:mail:send',
        output: '$mail_receipt',
        condition: null,
      },
    ],
    planInputs: [],
  });
}

function moveAppointment(): Plan {
  return new Plan({
    planContext: {
      query: 'Move my dentist appointment to the given day',
      toolIds: ['calendar_search', 'calendar_move'],
    },
    planInputs: [{ name: '$new_day', description: 'The day to move it to' }],
    steps: [
      {
        task: "Find the end user's next dentist appointment",
        inputs: [],
        toolId: 'calendar_search',
        output: '$appointment',
        condition: null,
      },
      {
        task: 'Move the appointment to the new day, at the same time of day',
        inputs: [
          { name: '$appointment', description: 'The appointment, with its event id' },
          { name: '$new_day', description: 'The day to move it to' },
        ],
        toolId: 'calendar_move',
        output: '$moved_appointment',
        condition: null,
      },
    ],
  });
}

function overdueInvoice(): Plan {
  const invoice = { name: '$invoice', description: 'Invoice INV-2041 with its due date' };
  const condition = 'if $invoice is unpaid and more than 30 days overdue';
  return new Plan({
    planContext: {
      query:
        'If invoice INV-2041 is unpaid and more than 30 days overdue, write a friendly reminder and file it as a note',
      toolIds: ['invoice_lookup', 'note_create'],
    },
    steps: [
      { task: 'Look up invoice INV-2041', inputs: [], toolId: 'invoice_lookup', output: '$invoice', condition: null },
      {
        task: 'Write a friendly payment reminder',
        inputs: [invoice],
        toolId: 'llm_tool',
        output: '$reminder',
        condition,
      },
      {
        task: 'File the reminder as a note on the invoice',
        inputs: [invoice, { name: '$reminder', description: 'Text of the reminder' }],
        toolId: 'note_create',
        output: '$note',
        condition,
      },
    ],
    planInputs: [],
  });
}
