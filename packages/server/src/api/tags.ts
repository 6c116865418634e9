/** What stands in the document of all routes of `/api/v0`. */
export const v0Tag = 'Cloud protocol of Portia 0.9';

/** The headings of the document of the API, in their order. */
export const apiTags: readonly { readonly name: string; readonly description?: string }[] = [
  { name: 'Runs' },
  { name: 'Clarifications', description: 'What runs ask people, and their answers.' },
  { name: 'Plans' },
  { name: 'Tools' },
  { name: 'End users', description: 'On whose behalf runs happen.' },
  { name: 'Keys', description: 'Who may do what here.' },
  { name: 'Webhooks', description: 'Who is told what happens.' },
  {
    name: v0Tag,
    description: 'For clients of Portia 0.9, which know nothing else. Whoever begins today uses /api/v1.',
  },
];
