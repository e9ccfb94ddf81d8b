// What a user of an LLM API's own client does: one of two clients, pointed at a gate. Prints what came of
// it as one JSON line. Modes: all; wait (a stream until it ends, by whatever).
const [mode, which, base, key] = process.argv.slice(2);

const OpenAI = require('openai');
const Anthropic = require('@anthropic-ai/sdk');

const kinds = {
  openai: {
    make: (prefix, apiKey, maxRetries) => new OpenAI({ baseURL: `${base}${prefix}/v1`, apiKey, maxRetries }),
    stream: (client, model) => client.chat.completions.create(
      { model, messages: [{ role: 'user', content: 'hello' }], stream: true }),
    text: event => event.choices[0].delta.content || '',
    ask: client => client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hello' }] }),
    said: answer => answer.choices[0].message.content,
    upload: async (client, bytes) => (await client.files.create(
      { file: await OpenAI.toFile(bytes, 'big.jsonl'), purpose: 'batch' })).bytes,
  },
  anthropic: {
    make: (prefix, apiKey, maxRetries) => new Anthropic({ baseURL: `${base}${prefix}`, apiKey, maxRetries }),
    stream: (client, model) => client.messages.create(
      { model, max_tokens: 9, messages: [{ role: 'user', content: 'hello' }], stream: true }),
    text: event => (event.type === 'content_block_delta' ? event.delta.text : ''),
    ask: client => client.messages.create(
      { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'hello' }] }),
    said: answer => answer.content[0].text,
    upload: async (client, bytes) => (await client.messages.create(
      { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: bytes.toString('latin1') }] })).usage.input_tokens,
  },
};
const kind = kinds[which];

async function read(stream, until = Infinity) {
  let text = '';
  let count = 0;
  for await (const event of stream) {
    const piece = kind.text(event);
    text += piece;
    if (piece && ++count === until) break;
  }
  return text;
}

// Until the first piece of text. A loop that is left would end the stream.
async function begin(stream) {
  const events = stream[Symbol.asyncIterator]();
  for (let text = ''; !text;) text = kind.text((await events.next()).value);
}

async function failure(promise) {
  try {
    return { text: kind.said(await promise) };
  } catch (error) {
    const after = error.headers && error.headers.get('retry-after');
    return { name: error.constructor.name, status: error.status, after };
  }
}

async function all() {
  const found = {};
  const client = kind.make('', key, 0);
  found.streamed = await read(await kind.stream(client, 'm'));
  const cancelled = await kind.stream(client, 'cancel');
  found.begun = await read(cancelled, 3);
  cancelled.controller.abort();
  found.uploaded = await kind.upload(client, Buffer.alloc(50 << 20, 'x'));
  found.unauthorized = await failure(kind.ask(kind.make('', 'wrong', 0)));
  found.first = await failure(kind.ask(kind.make('/limited', key, 0)));
  found.limited = await failure(kind.ask(kind.make('/limited', key, 0)));
  found.retried = await failure(kind.ask(kind.make('/limited', key, 2)));
  const busy = kind.make('/busy', key, 0);
  const held = await kind.stream(busy, 'hold');
  await begin(held);
  found.unavailable = await failure(kind.ask(busy));
  held.controller.abort();
  console.log(JSON.stringify(found));
}

async function wait() {
  const stream = await kind.stream(kind.make('', key, 0), 'hold');
  try {
    for await (const event of stream) if (kind.text(event)) console.log('there');
    console.log(JSON.stringify({ name: 'nothing' }));
  } catch (error) {
    console.log(JSON.stringify({ name: error.constructor.name, message: error.message }));
  }
}

(mode === 'all' ? all() : wait()).catch(error => {
  console.error(error);
  process.exit(1);
});
