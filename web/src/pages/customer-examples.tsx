/** The same question as a program asks it: examples that run as they stand, with what was picked on the page. */
import { useState } from 'preact/hooks';
import { Card } from '../ui/block';
import { Copy } from '../ui/values';
import type { Asked } from '../wallet/purchase';

const LANGUAGES = { curl: 'curl', python: 'Python', javascript: 'JavaScript', cli: 'cairn' } as const;
type Language = keyof typeof LANGUAGES;

export function Examples({ asked, payer }: { asked: Asked; payer: string }) {
  const [language, choose] = useState<Language>('curl');
  const text = example(language, asked, payer || '0'.repeat(64), window.location.origin);
  return (
    <Card title="From a program" tools={
      <span class="choices-inline" role="group" aria-label="Language">
        {Object.entries(LANGUAGES).map(([key, name]) => <button key={key} type="button" class="plain" aria-pressed={key === language} onClick={() => choose(key as Language)}>{name}</button>)}
        <Copy text={text} label="Copy the example" />
      </span>
    } note="There is no API key: a price is free to ask, and an order is signed by your account’s own key.">
      <pre tabIndex={0}>{text}</pre>
    </Card>
  );
}

export function example(language: Language, query: Asked, customer: string, origin: string): string {
  const body = JSON.stringify({ customer, query }, null, 2);
  switch (language) {
    case 'curl':
      return `curl -s ${origin}/v1/quotes \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`;
    case 'python':
      return `import json, urllib.request\n\nquestion = json.loads('''${body}''')\nrequest = urllib.request.Request(\n    "${origin}/v1/quotes",\n    json.dumps(question).encode(),\n    {"content-type": "application/json"},\n)\nprint(json.load(urllib.request.urlopen(request)))`;
    case 'javascript':
      return `const question = ${body};\nconst answer = await fetch("${origin}/v1/quotes", {\n  method: "POST",\n  headers: { "content-type": "application/json" },\n  body: JSON.stringify(question),\n});\nconsole.log(await answer.json());`;
    case 'cli':
      return `cairn query --network ${query.network} \\\n  --quantity ${query.quantity} --from ${query.from} --to ${query.to}${query.cells.map((cell) => ` \\\n  --cell ${cell}`).join('')} --out data.csv`;
  }
}
