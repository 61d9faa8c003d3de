/** Starts the page: theme before the first paint, then the app. */
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import { render } from 'preact';
import { App } from './app';
import { applyTheme } from './theme';

applyTheme();
const root = document.getElementById('app');
if (root) render(<App />, root);
