/** Which page is at which address. Pages load when they are first opened. */
import { LocationProvider, Route, Router, lazy } from 'preact-iso';
import { Shell } from './shell';
import { Overview } from './pages/overview';

const Networks = lazy(() => import('./pages/networks').then((page) => page.Networks));
const Network = lazy(() => import('./pages/network').then((page) => page.Network));
const Device = lazy(() => import('./pages/device').then((page) => page.Device));
const Operators = lazy(() => import('./pages/operators').then((page) => page.Operators));
const Operator = lazy(() => import('./pages/operator').then((page) => page.Operator));
const Customers = lazy(() => import('./pages/customers').then((page) => page.Customers));
const Customer = lazy(() => import('./pages/customer').then((page) => page.Customer));
const Audit = lazy(() => import('./pages/audit').then((page) => page.Audit));
const Epoch = lazy(() => import('./pages/epoch').then((page) => page.Epoch));
const Ledger = lazy(() => import('./pages/ledger').then((page) => page.Ledger));
const Block = lazy(() => import('./pages/block').then((page) => page.BlockPage));
const Transaction = lazy(() => import('./pages/transaction').then((page) => page.Transaction));
const Account = lazy(() => import('./pages/account').then((page) => page.Account));
const Order = lazy(() => import('./pages/order').then((page) => page.Order));
const Wallet = lazy(() => import('./pages/wallet').then((page) => page.Wallet));
const Search = lazy(() => import('./pages/search').then((page) => page.Search));
const NotFound = lazy(() => import('./pages/not-found').then((page) => page.NotFound));

/** Addresses of pages; the API and files are the server's. */
const PLACES = /^\/(?!v1\/|[^/?]*\.)/;

/** A new page begins at its top. */
function arrived(): void {
  window.scrollTo(0, 0);
}

export function App() {
  return (
    <LocationProvider scope={PLACES}>
      <Shell>
        <Router onRouteChange={arrived}>
          <Route path="/" component={Overview} />
          <Route path="/networks" component={Networks} />
          <Route path="/networks/:id" component={Network} />
          <Route path="/devices/:id" component={Device} />
          <Route path="/operators" component={Operators} />
          <Route path="/operators/:id" component={Operator} />
          <Route path="/customers" component={Customers} />
          <Route path="/customers/:id" component={Customer} />
          <Route path="/audit" component={Audit} />
          <Route path="/audit/:network/:epoch" component={Epoch} />
          <Route path="/ledger" component={Ledger} />
          <Route path="/ledger/blocks/:height" component={Block} />
          <Route path="/ledger/transactions/:id" component={Transaction} />
          <Route path="/ledger/accounts/:id" component={Account} />
          <Route path="/ledger/orders/:id" component={Order} />
          <Route path="/wallet" component={Wallet} />
          <Route path="/search" component={Search} />
          <Route default component={NotFound} />
        </Router>
      </Shell>
    </LocationProvider>
  );
}
