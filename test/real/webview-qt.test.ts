// The views of samples/qt-panel, in the engine itself.
import { describeHostileViews } from '../support/webview-hostile-cases.js';
import { describeViews } from '../support/webview-cases.js';

describeViews('qt');
describeHostileViews('qt');
