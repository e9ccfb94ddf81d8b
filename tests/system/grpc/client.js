// A client of gRPC for tests: node client.js ADDRESS CA CASE [JSON]. Prints what came of the call, as JSON.
const grpc = require(process.env.GRPC + '/@grpc/grpc-js');
const fs = require('fs');

const [address, ca, name, text] = process.argv.slice(2);
const options = text ? JSON.parse(text) : {};
const client = new grpc.Client(address, grpc.credentials.createSsl(fs.readFileSync(ca)), {
  'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1,
  'grpc.enable_retries': 0,
});
const metadata = new grpc.Metadata();
for (const [key, value] of Object.entries(options.metadata || {})) metadata.set(key, value);
const rules = options.deadline ? { deadline: Date.now() + options.deadline } : {};
const octets = value => value;
const path = method => '/test.Service/' + method;
const found = { code: 0, details: '' };
const done = () => { console.log(JSON.stringify(found)); client.close(); };
const failed = error => { found.code = error.code; found.details = error.details; };
const watch = call => {
  call.on('metadata', first => { found.first = first.toJSON(); });
  call.on('status', status => {
    found.trailers = status.metadata.toJSON();
    found.code = status.code;
    found.details = status.details;
    done();
  });
  return call;
};
const unary = (method, body) => watch(client.makeUnaryRequest(path(method), octets, octets, body, metadata, rules,
  (error, value) => { if (error) failed(error); else found.same = value.equals(body); }));

const cases = {
  unary: () => unary('Unary', Buffer.from('hello')),
  big: () => unary('Unary', Buffer.alloc(options.bytes, 'abcdefghijk')),
  fails: () => unary('Fails', Buffer.from('x')),
  hangs: () => unary('Hangs', Buffer.from('x')),
  cancel: () => { const call = unary('Hangs', Buffer.from('x')); setTimeout(() => call.cancel(), options.after); },
  serverStream: () => {
    const call = watch(client.makeServerStreamRequest(path('ServerStream'), octets, octets,
      Buffer.from(String(options.number)), metadata, rules));
    found.messages = 0;
    call.on('data', data => { if (data.toString() === `m${found.messages}`) found.messages++; });
    call.on('error', () => {});
  },
  clientStream: () => {
    const call = watch(client.makeClientStreamRequest(path('ClientStream'), octets, octets, metadata, rules,
      (error, value) => { if (error) failed(error); else found.answer = value.toString(); }));
    let left = options.number;
    const more = () => {
      if (left-- === 0) return call.end();
      call.write(Buffer.alloc(options.bytes), () => (options.pause ? setTimeout(more, options.pause) : more()));
    };
    more();
  },
  bidi: () => {
    const call = watch(client.makeBidiStreamRequest(path('Bidi'), octets, octets, metadata, rules));
    found.messages = [];
    const say = () => call.write(Buffer.from(`n${found.messages.length}`));
    call.on('data', data => {
      found.messages.push(data.toString());
      if (found.messages.length === options.number) return call.end();
      if (options.pause) setTimeout(say, options.pause); else say();
    });
    call.on('error', () => {});
    say();
  },
};
cases[name]();
