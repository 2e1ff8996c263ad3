// Records whose names are others' (labels, words of a URL). Pure.

/** What a record itself has under this name: `constructor`, `toString` and `__proto__` are names like any other. */
export function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}
