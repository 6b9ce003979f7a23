// The views of samples/webkit-panel, in the engine itself.
import { describeViews } from '../support/webview-cases.js';

describeViews('webkit');
