// The views of samples/webkit-panel, in the engine itself.
import { describeHostileViews } from '../support/webview-hostile-cases.js';
import { describeViews } from '../support/webview-cases.js';

describeViews('webkit');
describeHostileViews('webkit');
