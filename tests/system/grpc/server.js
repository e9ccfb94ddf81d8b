// A server of gRPC for tests: node server.js [CHAIN KEY]. Says "PORT n" once it listens, and a line of JSON for what
// it wants its test to know. Messages are octets as they are.
const grpc = require(process.env.GRPC + '/@grpc/grpc-js');
const fs = require('fs');

const octets = value => value;
const method = (path, requestStream, responseStream) => ({
  path, requestStream, responseStream, requestSerialize: octets, requestDeserialize: octets,
  responseSerialize: octets, responseDeserialize: octets,
});
const service = {
  unary: method('/test.Service/Unary', false, false),
  fails: method('/test.Service/Fails', false, false),
  hangs: method('/test.Service/Hangs', false, false),
  serverStream: method('/test.Service/ServerStream', false, true),
  clientStream: method('/test.Service/ClientStream', true, false),
  bidi: method('/test.Service/Bidi', true, true),
};
const say = what => console.log(JSON.stringify(what));

const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
server.addService(service, {
  unary(call, reply) {
    const trailer = new grpc.Metadata();
    trailer.set('x-sum', String(call.request.length));
    const first = new grpc.Metadata();
    first.set('x-seen', call.metadata.get('x-given').join());
    call.sendMetadata(first);
    reply(null, call.request, trailer);
  },
  fails(call, reply) {
    reply({ code: grpc.status.FAILED_PRECONDITION, details: 'not now: ü' });
  },
  hangs(call) {
    say({ hangs: call.getDeadline() !== Infinity });
    call.on('cancelled', () => say({ cancelled: true }));
  },
  serverStream(call) {
    const number = Number(call.request.toString());
    for (let i = 0; i < number; i++) call.write(Buffer.from(`m${i}`));
    call.end();
  },
  clientStream(call, reply) {
    let bytes = 0;
    call.on('data', data => { bytes += data.length; });
    call.on('end', () => reply(null, Buffer.from(String(bytes))));
  },
  bidi(call) {
    let messages = 0;
    call.on('data', data => {
      say({ bidi: ++messages });
      call.write(Buffer.concat([Buffer.from('re:'), data]));
    });
    call.on('end', () => call.end());
    call.on('cancelled', () => say({ cancelled: true }));
  },
});
const [chain, key] = process.argv.slice(2);
const credentials = chain
  ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: fs.readFileSync(chain), private_key: fs.readFileSync(key) }])
  : grpc.ServerCredentials.createInsecure();
server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
  if (error) throw error;
  console.log(`PORT ${port}`);
});
