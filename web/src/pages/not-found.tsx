/** For addresses where nothing is. */
import { useTitle } from '../title';
import { Empty } from '../ui/block';

export function NotFound() {
  useTitle('Nothing here');
  return (
    <>
      <div class="head"><div><h1>Nothing here</h1></div></div>
      <Empty title="No page has this address.">Search for an id, a name, a block or an epoch above, or begin at the <a href="/">overview</a>.</Empty>
    </>
  );
}
