/** Kept for the listener, files, the store and HTTP requests. */
const RESERVED = 128;
const WITHOUT_A_LIMIT = 100_000;

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

export function softDescriptorLimit(): number | 'unlimited' {
  const report = process.report.getReport() as Report;
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : 'unlimited';
}

/** How many connections the process's limit on open descriptors leaves room for. */
export function descriptorLimit(): number {
  const soft = softDescriptorLimit();
  return soft === 'unlimited' ? WITHOUT_A_LIMIT : Math.max(1, soft - RESERVED);
}
