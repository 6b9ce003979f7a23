// Not run: no WebView2 and no C# compiler were at hand. Written against adapters/webview/PROTOCOL.md; section numbers are its.
using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using System.Windows;
using Microsoft.Web.WebView2.Core;
using Microsoft.Web.WebView2.Wpf;

namespace Acme.Cad
{
    /// <summary>Shows one panel, and serves it: browser, view and store. All of it runs on the thread of the view.</summary>
    public sealed class MortisePanel : IDisposable
    {
        private const int MaxMessageBytes = 1 << 20;
        private const int MinMessageBytes = 4096;
        private const int MaxRemembered = 1000;
        private const int MaxVisits = 8;

        private readonly WebView2 view;
        private readonly Uri panel;
        private readonly string name;
        private readonly ProtectedStore store = new ProtectedStore("mortise");
        private readonly Dictionary<string, Visit> visits = new Dictionary<string, Visit>();
        private readonly HashSet<string> remembered = new HashSet<string>();
        private readonly Queue<string> rememberedInOrder = new Queue<string>();
        private string nonce;
        private string nonceScriptId;
        private int loads;
        // Where we are about to go ourselves.
        private Uri loading;
        // What this page takes, once it has said so.
        private int limit = MaxMessageBytes;

        public MortisePanel(WebView2 view, Uri panel, string name)
        {
            this.view = view;
            this.panel = panel;
            this.name = name.Length > 100 ? name.Substring(0, 100) : name;
        }

        public async Task ShowAsync()
        {
            await view.EnsureCoreWebView2Async();
            var core = view.CoreWebView2;
            core.Settings.AreDevToolsEnabled = false;
            core.Settings.AreHostObjectsAllowed = false;
            core.WebMessageReceived += (_, e) => Receive(e);
            core.NavigationStarting += (_, e) => KeepToPanel(e);
            core.NewWindowRequested += (_, e) =>
            {
                e.Handled = true;
                if (IsWeb(e.Uri)) OpenBrowser(e.Uri);
            };
            core.DownloadStarting += (_, e) => e.Cancel = true;
            core.PermissionRequested += (_, e) => e.State = CoreWebView2PermissionState.Deny;
            // Left alone, a bad certificate is refused with a page that offers to go on. There is to be no such page.
            core.ServerCertificateErrorDetected += (_, e) => e.Action = CoreWebView2ServerCertificateErrorAction.Cancel;
            await LoadAsync(panel);
        }

        /// <summary>Section 2: a secret for each load. WebView2 runs such scripts in every frame, so it looks where it is.</summary>
        private async Task LoadAsync(Uri page)
        {
            Leave();
            var load = loads += 1;
            var core = view.CoreWebView2;
            if (nonceScriptId != null) core.RemoveScriptToExecuteOnDocumentCreated(nonceScriptId);
            nonceScriptId = null;
            var next = RandomName();
            var origin = JsonSerializer.Serialize(panel.GetLeftPart(UriPartial.Authority));
            var scriptId = await core.AddScriptToExecuteOnDocumentCreatedAsync(
                $"(() => {{ if (top === self && location.origin === {origin}) globalThis.mortiseNonce = {JsonSerializer.Serialize(next)}; }})();");
            if (load != loads)
            {
                // Another has begun meanwhile.
                core.RemoveScriptToExecuteOnDocumentCreated(scriptId);
                return;
            }
            nonceScriptId = scriptId;
            nonce = next;
            limit = MaxMessageBytes;
            loading = page;
            core.Navigate(page.AbsoluteUri);
        }

        private void KeepToPanel(CoreWebView2NavigationStartingEventArgs e)
        {
            var isOurs = Uri.TryCreate(e.Uri, UriKind.Absolute, out var to) && SameOrigin(to, panel);
            var isExpected = isOurs && (e.IsRedirected || to == loading);
            if (isExpected)
            {
                loading = null;
                return;
            }
            // To another place on the page that is there nothing is loaded.
            var isReload = e.NavigationKind == CoreWebView2NavigationKind.Reload;
            if (isOurs && nonce != null && !isReload && to.Fragment != "" && to == view.Source) return;
            e.Cancel = true;
            // Reloads, links to other pages of the panel: whatever loads is loaded here, with a secret of its own.
            if (isOurs) view.Dispatcher.InvokeAsync(() => LoadAsync(to));
            else if (IsWeb(e.Uri)) OpenBrowser(e.Uri);
        }

        private void Leave()
        {
            nonce = null;
            foreach (var visit in visits.Values) visit.Close();
            visits.Clear();
            remembered.Clear();
            rememberedInOrder.Clear();
        }

        public void Dispose()
        {
            Notify("bye", new { });
            Leave();
        }

        private async void Receive(CoreWebView2WebMessageReceivedEventArgs e)
        {
            // `Source` is the document that posted; frames have an event of their own, to which nobody listens.
            if (nonce == null || !Uri.TryCreate(e.Source, UriKind.Absolute, out var source) || !SameOrigin(source, panel)) return;
            string id, method;
            JsonElement args;
            try
            {
                var text = e.TryGetWebMessageAsString();
                if (Encoding.UTF8.GetByteCount(text) > MaxMessageBytes) return;
                var message = JsonDocument.Parse(text).RootElement;
                if (message.ValueKind != JsonValueKind.Object || Text(message, "jsonrpc") != "2.0") return;
                if (!IsSame(Text(message, "nonce"), nonce)) return;
                method = Text(message, "method");
                args = message.TryGetProperty("params", out var given) && given.ValueKind == JsonValueKind.Object ? given : default;
                // Of notifications `cancel` comes too late for what is answered at once, and the loopback page tells no outcome.
                id = Text(message, "id");
            }
            // No text, no JSON, or half of a surrogate pair. What an `async void` throws ends the program.
            catch (Exception error) when (error is ArgumentException || error is JsonException || error is InvalidOperationException) { return; }
            if (method == null || id == null || id.Length > 200 || !remembered.Add(id)) return;
            rememberedInOrder.Enqueue(id);
            if (rememberedInOrder.Count > MaxRemembered) remembered.Remove(rememberedInOrder.Dequeue());
            var asked = nonce;
            object answer;
            try { answer = new { jsonrpc = "2.0", nonce = asked, id, result = await AnswerAsync(method, args) }; }
            catch (Refusal refusal) { answer = new { jsonrpc = "2.0", nonce = asked, id, error = refusal.Error }; }
            catch (Exception error)
            {
                // What it says may quote what was sent, so it stays here.
                var problem = error.GetType().Name;
                answer = new { jsonrpc = "2.0", nonce = asked, id, error = new Refusal("bridge_unavailable", new { problem }).Error };
            }
            if (asked != nonce || Post(answer)) return;
            var tooLong = new Refusal("configuration_error", new { problem = "the answer is longer than a message may be" });
            Post(new { jsonrpc = "2.0", nonce = asked, id, error = tooLong.Error });
        }

        private async Task<object> AnswerAsync(string method, JsonElement args)
        {
            switch (method)
            {
                case "hello":
                    limit = Math.Min(limit, Limit(args));
                    return new { protocol = 1, name, offers = new[] { "browser", "view", "store" } };
                case "visit.open": return OpenVisit(args);
                case "visit.navigate": return await NavigateAsync(args);
                case "visit.close": return CloseVisit(args);
                case "store.get": return new { value = store.Get(Key(args)) };
                case "store.set": store.Set(Key(args), Value(args)); return new { };
                case "store.remove": store.Remove(Key(args)); return new { };
                case "store.ready": store.Ready(); return new { };
                default: throw Refusal.UnknownMethod();
            }
        }

        // Section 4: the sign-in page.

        private object OpenVisit(JsonElement args)
        {
            if (visits.Count >= MaxVisits || args.ValueKind != JsonValueKind.Object) throw Refusal.InvalidParams("redirect");
            if (!args.TryGetProperty("redirect", out var rule)) throw Refusal.InvalidParams("redirect");
            var id = RandomName();
            var visit = new Visit();
            if (Text(args, "capture") == "view")
            {
                var uris = Uris(rule);
                if (uris.Length != 1 || !IsRedirect(uris[0], uris[0])) throw Refusal.InvalidParams("redirect");
                visit.RedirectUri = uris[0];
            }
            else if (Text(args, "capture") == "host")
            {
                visit.Listener = LoopbackListener.Reserve(rule, url => view.Dispatcher.InvokeAsync(() => Redirected(id, url)));
                visit.RedirectUri = visit.Listener.RedirectUri;
            }
            else throw Refusal.InvalidParams("capture");
            visits.Add(id, visit);
            return new { visit = id, redirectUri = visit.RedirectUri };
        }

        private async Task<object> NavigateAsync(JsonElement args)
        {
            var id = Text(args, "visit") ?? "";
            var url = Text(args, "url") ?? "";
            if (!visits.TryGetValue(id, out var visit)) throw Refusal.InvalidParams("visit");
            if (url.Length > 16384 || !IsWeb(url)) throw Refusal.InvalidParams("url");
            try
            {
                if (visit.Listener != null) OpenBrowser(url);
                else await ShowSignInAsync(id, visit, url);
            }
            catch (Exception error) when (!(error is Refusal)) { throw new Refusal("browser_not_opened", new { }); }
            return new { };
        }

        /// <summary>Another view, without a bridge, and with a profile that is deleted after it.</summary>
        private async Task ShowSignInAsync(string id, Visit visit, string url)
        {
            // One window a sign-in.
            if (visit.IsShown) throw Refusal.InvalidParams("visit");
            visit.IsShown = true;
            var folder = Path.Combine(Path.GetTempPath(), "mortise-" + RandomName());
            var environment = await CoreWebView2Environment.CreateAsync(null, folder);
            // Closed while it was made, here and below.
            if (visit.IsClosing) throw new Refusal("aborted", new { });
            var options = environment.CreateCoreWebView2ControllerOptions();
            options.IsInPrivateModeEnabled = true;
            var signIn = new WebView2();
            var window = new Window { Title = "Sign in", Width = 480, Height = 680, Content = signIn };
            visit.Window = window;
            window.Closed += async (_, __) =>
            {
                signIn.Dispose();
                if (visits.ContainsKey(id) && !visit.IsClosing) Notify("visit.window", new { visit = id, fate = "closed" });
                await DeleteAsync(folder);
            };
            window.Show();
            try { await signIn.EnsureCoreWebView2Async(environment, options); }
            catch
            {
                visit.Close();
                throw;
            }
            if (visit.IsClosing) throw new Refusal("aborted", new { });
            var core = signIn.CoreWebView2;
            core.Settings.IsWebMessageEnabled = false;
            core.Settings.AreHostObjectsAllowed = false;
            core.Settings.IsPasswordAutosaveEnabled = false;
            core.NavigationStarting += (_, e) =>
            {
                if (IsRedirect(e.Uri, visit.RedirectUri))
                {
                    e.Cancel = true;
                    Redirected(id, e.Uri);
                }
                else if (!IsWeb(e.Uri) && e.Uri != "about:blank") e.Cancel = true;
            };
            // A frame that goes there is stopped and not told.
            core.FrameNavigationStarting += (_, e) => e.Cancel = IsRedirect(e.Uri, visit.RedirectUri) || !(IsWeb(e.Uri) || e.Uri.StartsWith("about:"));
            core.NewWindowRequested += (_, e) => e.Handled = true;
            core.LaunchingExternalUriScheme += (_, e) => e.Cancel = true;
            core.DownloadStarting += (_, e) => e.Cancel = true;
            core.PermissionRequested += (_, e) => e.State = CoreWebView2PermissionState.Deny;
            core.ServerCertificateErrorDetected += (_, e) => e.Action = CoreWebView2ServerCertificateErrorAction.Cancel;
            core.Navigate(url);
        }

        /// <summary>
        /// The browser process holds its files for a moment after the view. A program that ends within it leaves the folder; in
        /// private mode no cookie was written there.
        /// </summary>
        private static async Task DeleteAsync(string folder)
        {
            for (var tries = 0; tries < 20 && Directory.Exists(folder); tries += 1)
            {
                await Task.Delay(500);
                try { Directory.Delete(folder, true); }
                catch (Exception error) when (error is IOException || error is UnauthorizedAccessException) { } // Still held.
            }
        }

        private void Redirected(string id, string url)
        {
            if (!visits.TryGetValue(id, out var visit) || url.Length > 16384) return;
            visit.Count += 1;
            Notify("visit.redirect", new { visit = id, redirect = visit.Count, url });
        }

        private object CloseVisit(JsonElement args)
        {
            var id = Text(args, "visit") ?? "";
            if (visits.TryGetValue(id, out var visit))
            {
                visits.Remove(id);
                visit.Close();
            }
            return new { };
        }

        private static void OpenBrowser(string url)
        {
            // One argument, parsed first, and never through a command line of ours.
            Process.Start(new ProcessStartInfo(new Uri(url).AbsoluteUri) { UseShellExecute = true });
        }

        private void Notify(string method, object args)
        {
            if (nonce != null) Post(new { jsonrpc = "2.0", nonce, method, @params = args });
        }

        /// <summary>False when it is longer than the page takes.</summary>
        private bool Post(object message)
        {
            var text = JsonSerializer.Serialize(message);
            if (Encoding.UTF8.GetByteCount(text) > limit) return false;
            view.CoreWebView2.PostWebMessageAsString(text);
            return true;
        }

        private static int Limit(JsonElement args)
        {
            if (args.ValueKind != JsonValueKind.Object || !args.TryGetProperty("maxMessageBytes", out var said)) return MaxMessageBytes;
            var isLimit = said.ValueKind == JsonValueKind.Number && said.TryGetInt32(out var bytes) && bytes >= MinMessageBytes;
            return isLimit ? said.GetInt32() : throw Refusal.InvalidParams("maxMessageBytes");
        }

        private static string RandomName()
        {
            var bytes = new byte[16];
            using (var random = RandomNumberGenerator.Create()) random.GetBytes(bytes);
            return string.Concat(bytes.Select(each => each.ToString("x2")));
        }

        /// <summary>Looks at every character, so that the time it takes tells nothing.</summary>
        private static bool IsSame(string came, string expected)
        {
            if (came == null || came.Length != expected.Length) return false;
            var difference = 0;
            for (var i = 0; i < expected.Length; i += 1) difference |= came[i] ^ expected[i];
            return difference == 0;
        }

        internal static string Text(JsonElement from, string member) =>
            from.ValueKind == JsonValueKind.Object && from.TryGetProperty(member, out var value) ? Text(value) : null;

        private static string Text(JsonElement value)
        {
            if (value.ValueKind != JsonValueKind.String) return null;
            try { return value.GetString(); }
            catch (InvalidOperationException) { return null; } // JSON may escape half of a surrogate pair, which is no text.
        }

        private static string Key(JsonElement args)
        {
            var key = Text(args, "key");
            return key != null && key.Length <= 1024 ? key : throw Refusal.InvalidParams("key");
        }

        private static string Value(JsonElement args)
        {
            var value = Text(args, "value");
            return value != null && value.Length <= 262144 ? value : throw Refusal.InvalidParams("value");
        }

        internal static string[] Uris(JsonElement rule) =>
            rule.ValueKind == JsonValueKind.Array && rule.EnumerateArray().All(each => Text(each) != null)
                ? rule.EnumerateArray().Select(each => Text(each)).ToArray() : new string[0];

        private static bool SameOrigin(Uri one, Uri other) =>
            Uri.Compare(one, other, UriComponents.SchemeAndServer, UriFormat.Unescaped, StringComparison.OrdinalIgnoreCase) == 0
            && one.UserInfo == "";

        internal static bool IsWeb(string url)
        {
            if (!Uri.TryCreate(url, UriKind.Absolute, out var parsed) || parsed.UserInfo != "") return false;
            if (parsed.Scheme == Uri.UriSchemeHttps) return true;
            return parsed.Scheme == Uri.UriSchemeHttp && (parsed.Host == "127.0.0.1" || parsed.Host == "[::1]" || parsed.Host == "localhost");
        }

        /// <summary>Section 4.1. `Uri` lower-cases scheme and host, drops default ports and resolves dots.</summary>
        internal static bool IsRedirect(string url, string redirectUri)
        {
            if (redirectUri.Contains("#") || Regex.IsMatch(url.Split('?', '#')[0], @"[^!-~]|\\")) return false;
            if (!Uri.TryCreate(url, UriKind.Absolute, out var came) || !Uri.TryCreate(redirectUri, UriKind.Absolute, out var expected)) return false;
            if (came.UserInfo != "" || expected.UserInfo != "") return false;
            if (Regex.IsMatch(came.Scheme, "^(javascript|data|blob|file|about|view-source|filesystem)$")) return false;
            var query = expected.Query.TrimStart('?');
            return came.Scheme == expected.Scheme
                && string.Equals(came.Host, expected.Host, StringComparison.OrdinalIgnoreCase)
                && came.Port == expected.Port
                && PathOf(came) == PathOf(expected)
                && (query == "" || (came.Query.TrimStart('?') + "&").StartsWith(query + "&", StringComparison.Ordinal));
        }

        private static string PathOf(Uri uri)
        {
            var path = Regex.Replace(uri.AbsolutePath, "%[0-9a-fA-F]{2}", match =>
            {
                var character = ((char)Convert.ToInt32(match.Value.Substring(1), 16)).ToString();
                return Regex.IsMatch(character, "^[A-Za-z0-9._~-]$") ? character : match.Value.ToUpperInvariant();
            });
            return path == "" ? "/" : path;
        }

        private sealed class Visit
        {
            public string RedirectUri;
            public LoopbackListener Listener;
            public Window Window;
            public int Count;
            public bool IsShown;
            public bool IsClosing;

            public void Close()
            {
                IsClosing = true;
                Listener?.Close();
                Window?.Close();
            }
        }
    }

    /// <summary>One of the codes of section 6.</summary>
    internal sealed class Refusal : Exception
    {
        public readonly object Error;

        private Refusal(object error) { Error = error; }

        public Refusal(string code, object details)
            : this(new { code = -32000, message = code.Replace('_', ' '), data = new { code, details } }) { }

        public static Refusal InvalidParams(string member) => new Refusal(new { code = -32602, message = "wrong or missing: " + member });

        public static Refusal UnknownMethod() => new Refusal(new { code = -32601, message = "unknown method" });
    }

    /// <summary>Listens on loopback alone (RFC 8252 section 7.3), without HttpListener, which needs an administrator's leave.</summary>
    internal sealed class LoopbackListener
    {
        private const string Page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Done</title><h1>Done</h1><p>Go back to the program.";
        private readonly List<TcpListener> sockets = new List<TcpListener>();
        private readonly Action<string> redirected;

        public string RedirectUri { get; private set; }

        private LoopbackListener(Action<string> redirected) { this.redirected = redirected; }

        public static LoopbackListener Reserve(JsonElement rule, Action<string> redirected)
        {
            var tried = new List<int>();
            foreach (var (host, port, spell) in Places(rule))
            {
                var listener = new LoopbackListener(redirected);
                try
                {
                    listener.Bind(host, port, spell);
                    return listener;
                }
                catch (SocketException)
                {
                    listener.Close();
                    if (port != 0) tried.Add(port);
                }
            }
            throw new Refusal("redirect_port_in_use", new { ports = tried });
        }

        private static IEnumerable<(string, int, Func<int, string>)> Places(JsonElement rule)
        {
            if (rule.ValueKind == JsonValueKind.Array)
            {
                var uris = MortisePanel.Uris(rule).Select(text => Uri.TryCreate(text, UriKind.Absolute, out var uri) ? uri : null)
                    .Where(uri => uri != null && uri.Scheme == "http" && (uri.Host == "127.0.0.1" || uri.Host == "localhost")).ToArray();
                if (uris.Length == 0) throw new Refusal("configuration_error", new { problem = "no redirect URI is on loopback" });
                return uris.Select(uri => (uri.Host, uri.Port, (Func<int, string>)(_ => uri.OriginalString)));
            }
            if (rule.ValueKind != JsonValueKind.Object) throw Refusal.InvalidParams("redirect");
            var host = MortisePanel.Text(rule, "loopback");
            var path = MortisePanel.Text(rule, "path");
            if (path == null || (host != "127.0.0.1" && host != "localhost") || (path != "" && !path.StartsWith("/"))) throw Refusal.InvalidParams("redirect");
            if (!rule.TryGetProperty("ports", out var ports)) throw Refusal.InvalidParams("redirect");
            var isAny = MortisePanel.Text(rule, "ports") == "any";
            var numbers = isAny ? new[] { 0, 0, 0, 0 }
                : ports.ValueKind == JsonValueKind.Array ? ports.EnumerateArray().Select(each => each.ValueKind == JsonValueKind.Number && each.TryGetInt32(out var port) ? port : -1).ToArray()
                : new int[0];
            if (numbers.Length == 0 || numbers.Length > 64 || numbers.Any(port => port < 0 || port > 65535)) throw Refusal.InvalidParams("redirect");
            return numbers.Select(port => (host, port, (Func<int, string>)(bound => $"http://{host}:{bound}{path}")));
        }

        private void Bind(string host, int port, Func<int, string> spell)
        {
            port = Listen(IPAddress.Loopback, port);
            // A browser asks ::1 first for localhost, where no other program is to sit.
            if (host == "localhost" && Socket.OSSupportsIPv6) Listen(IPAddress.IPv6Loopback, port);
            RedirectUri = spell(port);
            foreach (var socket in sockets) AcceptAsync(socket);
        }

        private int Listen(IPAddress address, int port)
        {
            var socket = new TcpListener(address, port) { ExclusiveAddressUse = true };
            socket.Start();
            sockets.Add(socket);
            return ((IPEndPoint)socket.LocalEndpoint).Port;
        }

        private async void AcceptAsync(TcpListener socket)
        {
            try
            {
                while (true) AnswerAsync(await socket.AcceptTcpClientAsync());
            }
            catch (Exception) when (!sockets.Contains(socket)) { } // Closed.
            catch (SocketException) { }
        }

        private async void AnswerAsync(TcpClient client)
        {
            try
            {
                using (client)
                {
                    var stream = client.GetStream();
                    var head = await ReadHeadAsync(stream);
                    var expected = new Uri(RedirectUri);
                    var hosts = Regex.Matches(head, @"(?im)^host:[ \t]*(\S*)[ \t]*\r$").Cast<Match>().Select(each => each.Groups[1].Value).ToArray();
                    var line = Regex.Match(head, @"^GET (/[!-~]{0,16300}) HTTP/1\.[01]\r\n");
                    var isOurs = line.Success && hosts.Length == 1 && hosts[0] == expected.Authority;
                    var path = isOurs ? line.Groups[1].Value : "";
                    if (isOurs && path == "/mortise-done") await WriteAsync(stream, "200 OK", Page, "");
                    else if (isOurs && path.Split('?')[0] == expected.AbsolutePath)
                    {
                        redirected("http://" + expected.Authority + path);
                        // So that the code leaves the address bar.
                        await WriteAsync(stream, "303 See Other", "", "location: /mortise-done\r\n");
                    }
                    else await WriteAsync(stream, "404 Not Found", "", "");
                }
            }
            catch (IOException) { } // The browser has left.
            catch (ObjectDisposedException) { }
        }

        private static async Task<string> ReadHeadAsync(Stream stream)
        {
            var bytes = new byte[32768];
            var count = 0;
            while (count < bytes.Length)
            {
                var reading = stream.ReadAsync(bytes, count, bytes.Length - count);
                if (await Task.WhenAny(reading, Task.Delay(10000)) != reading) return "";
                var read = await reading;
                if (read == 0) return "";
                count += read;
                // Latin 1, so that raw bytes stay what they are, and no address.
                var head = Encoding.GetEncoding(28591).GetString(bytes, 0, count);
                if (head.Contains("\r\n\r\n")) return head;
            }
            return "";
        }

        private static async Task WriteAsync(Stream stream, string status, string body, string more)
        {
            var text = $"HTTP/1.1 {status}\r\n{more}content-type: text/html; charset=utf-8\r\ncontent-length: {Encoding.UTF8.GetByteCount(body)}\r\n"
                + "cache-control: no-store\r\nreferrer-policy: no-referrer\r\nx-content-type-options: nosniff\r\n"
                + "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\nconnection: close\r\n\r\n" + body;
            var bytes = Encoding.UTF8.GetBytes(text);
            await stream.WriteAsync(bytes, 0, bytes.Length);
        }

        public void Close()
        {
            var all = sockets.ToArray();
            sockets.Clear();
            foreach (var socket in all) socket.Stop();
        }
    }

    /// <summary>A file for each key, readable by this Windows user alone (DPAPI).</summary>
    internal sealed class ProtectedStore
    {
        private readonly string folder;

        public ProtectedStore(string name)
        {
            folder = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "Acme", name);
        }

        private string FileOf(string key)
        {
            using (var sha = SHA256.Create())
            {
                var hash = sha.ComputeHash(Encoding.UTF8.GetBytes(key));
                return Path.Combine(folder, string.Concat(hash.Select(each => each.ToString("x2"))));
            }
        }

        public string Get(string key)
        {
            try { return Encoding.UTF8.GetString(ProtectedData.Unprotect(File.ReadAllBytes(FileOf(key)), null, DataProtectionScope.CurrentUser)); }
            catch (FileNotFoundException) { return null; }
            catch (DirectoryNotFoundException) { return null; }
            catch (Exception error) when (error is IOException || error is CryptographicException || error is UnauthorizedAccessException) { throw Unavailable("refused"); }
        }

        public void Set(string key, string value)
        {
            try
            {
                Directory.CreateDirectory(folder);
                var file = FileOf(key);
                var fresh = file + ".new";
                var bytes = ProtectedData.Protect(Encoding.UTF8.GetBytes(value), null, DataProtectionScope.CurrentUser);
                using (var stream = new FileStream(fresh, FileMode.Create))
                {
                    stream.Write(bytes, 0, bytes.Length);
                    stream.Flush(true);
                }
                // In one step: whoever reads it finds the old or the new one.
                if (File.Exists(file)) File.Replace(fresh, file, null);
                else File.Move(fresh, file);
            }
            catch (Exception error) when (error is IOException || error is CryptographicException || error is UnauthorizedAccessException) { throw Unavailable("unwritable"); }
        }

        public void Remove(string key)
        {
            try { if (Directory.Exists(folder)) File.Delete(FileOf(key)); }
            catch (Exception error) when (error is IOException || error is UnauthorizedAccessException) { throw Unavailable("unwritable"); }
        }

        public void Ready() => Set("ready", "");

        private static Refusal Unavailable(string problem) => new Refusal("store_unavailable", new { problem });
    }
}
