// The views of samples/qt-panel, in the engine itself.
import { describeViews } from '../support/webview-cases.js';

describeViews('qt');
