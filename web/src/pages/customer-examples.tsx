/** The same question as a program asks it: examples that run as they stand, with what was picked on the page and the key just made. */
import { useState } from 'preact/hooks';
import { Card } from '../ui/block';
import { Copy } from '../ui/values';
import type { Asked } from '../wallet/purchase';

const LANGUAGES = { curl: 'curl', python: 'Python', javascript: 'JavaScript' } as const;
export type Language = keyof typeof LANGUAGES;

export function Examples({ asked, apiKey }: { asked: Asked; apiKey: string | undefined }) {
  const [language, choose] = useState<Language>('curl');
  const text = example(language, asked, window.location.origin, apiKey);
  return (
    <Card class="two-thirds" title={apiKey ? 'Download from a program' : 'The price, from a program'} tools={
      <span class="choices-inline" role="group" aria-label="Language">
        {Object.entries(LANGUAGES).map(([key, name]) => <button key={key} type="button" class="plain" aria-pressed={key === language} onClick={() => choose(key as Language)}>{name}</button>)}
        <Copy text={text} label="Copy the example" />
      </span>
    } note={apiKey ? 'The same question again is delivered again and not paid again.' : 'A price costs nothing and needs no account. With an API key the example downloads the data.'}>
      <pre class="example" tabIndex={0}>{text}</pre>
    </Card>
  );
}

export function example(language: Language, asked: Asked, origin: string, apiKey: string | undefined): string {
  const { cells, ...rest } = asked;
  const question: Record<string, string> = { ...rest, ...(cells.length && { cells: cells.join(',') }), ...(apiKey && { format: 'csv' }) };
  const url = `${origin}/v1/${apiKey ? 'data' : 'price'}`;
  const fields = (separator: string) => Object.entries(question).map(([name, value]) => `    ${separator === ':' ? JSON.stringify(name) : name}: ${JSON.stringify(value)},\n`).join('');
  switch (language) {
    case 'curl':
      return `curl -sS --get ${url}${apiKey ? ` \\\n  -H 'Authorization: Bearer ${apiKey}'` : ''}${Object.entries(question).map(([name, value]) => ` \\\n  -d '${name}=${value}'`).join('')}`;
    case 'python':
      return `import urllib.parse, urllib.request\n\nquestion = {\n${fields(':')}}\nrequest = urllib.request.Request("${url}?" + urllib.parse.urlencode(question))\n${apiKey ? `request.add_header("Authorization", "Bearer ${apiKey}")\n` : ''}with urllib.request.urlopen(request) as answer:\n    print(answer.read().decode())`;
    case 'javascript':
      return `const question = new URLSearchParams({\n${fields('')}});\nconst answer = await fetch(\`${url}?\${question}\`${apiKey ? `, {\n    headers: { Authorization: "Bearer ${apiKey}" },\n}` : ''});\nconsole.log(await answer.text());`;
  }
}
