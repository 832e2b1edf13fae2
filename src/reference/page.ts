export interface Page {
  readonly title: string;
  /** Where the style lies, from the page: a proxy may serve the relay under a path. With its slash, or empty. */
  readonly docs: string;
  /** HTML. */
  readonly main: string;
}

/** A whole page in the look of the others, light and dark. */
export function pageOf({ title, docs, main }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="stylesheet" href="${docs}reference.css">
<link rel="icon" href="${docs}favicon-32x32.png">
</head>
<body>
${main}
</body>
</html>
`;
}
