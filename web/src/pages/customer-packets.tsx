/** How packets are bought: by a program that pays for each as it comes. Here stand its commands, with what they cost. */
import type { ComponentChildren } from 'preact';
import type { Schemas } from '../api/client';
import { dollars } from '../format/amounts';
import { Card } from '../ui/block';
import { Copy } from '../ui/values';

export function Packets({ of, choice }: { of: Schemas['Network']; choice: ComponentChildren }) {
  const commands = [
    'cairn key new && cairn account open',
    'cairn credits buy --stable 1',
    `cairn router open --network ${of.id} --hold 100000 --devaddr 26011f00-26011fff`,
    'cairn router run --gwmp 127.0.0.1:1700',
  ].join('\n');
  return (
    <>
      <Card class="two-thirds" title="Buy packets" tools={<Copy text={commands} label="Copy the commands" />} note={`--devaddr names whose packets are yours: the addresses of your own senders. At most what --hold sets aside is spent, in credits of a millionth of a dollar; what is left returns when you close the order.`}>
        <p>This network carries packets. They go to a program of yours, the router, which brings them to your network server and signs for each one: {dollars(of.price_micro_usd)} for a million.</p>
        <pre tabIndex={0}>{commands}</pre>
      </Card>
      <Card class="third" title="Network"><div class="form">{choice}</div></Card>
    </>
  );
}
