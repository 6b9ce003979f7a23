export interface Organization {
  readonly id: string;
  readonly name: string;
  /** Where its data rests: the part of the API's host name that differs. */
  readonly region: 'ue1' | 'ec1';
}

/** What the user of every platform here may choose from. The first is the one of Prevu3D's documents. */
export const ORGANIZATIONS: readonly [Organization, ...Organization[]] = [
  { id: '217ebd23-ec54-4af0-a6d6-4a441a6d1966', name: 'Test Organization', region: 'ue1' },
  { id: '5b0c2f4e-7d19-4c36-9a58-e1f3720d84ab', name: 'Harbour Engineering', region: 'ec1' },
];
