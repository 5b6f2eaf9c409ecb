// The documentation's own examples for answer and invite in JavaScript, run as published with placeholders filled in.
//
// Pages: Graph reference, "call: answer" and "participant: invite"; see doc_examples.py. `Client` is the official one behind
// a shim that adds to `Client.init(options)` what leads to this service: base address and host.

export function shim(Official, { baseUrl, customHosts }) {
  return {
    init: (options) => Official.initWithMiddleware({ ...options, baseUrl, customHosts }),
  };
}

export async function answer(Client, authProvider, values) {
  const options = {
    authProvider,
  };

  const client = Client.init(options);

  const answer = {
    callbackUri: values.callbackUri,
    mediaConfig: {
      '@odata.type': '#microsoft.graph.appHostedMediaConfig',
      blob: values.blob
    },
    acceptedModalities: [
      'audio'
    ],
    callOptions: {
      '@odata.type': '#microsoft.graph.incomingCallOptions',
      isContentSharingNotificationEnabled: true,
      isDeltaRosterEnabled: true
    },
    participantCapacity: 200
  };

  await client.api(`/communications/calls/${values.id}/answer`)
    .post(answer);
}

export async function answerServiceHostedMedia(Client, authProvider, values) {
  const options = {
    authProvider,
  };

  const client = Client.init(options);

  const answer = {
    callbackUri: values.callbackUri,
    acceptedModalities: ['audio'],
    mediaConfig: {
      '@odata.type': '#microsoft.graph.serviceHostedMediaConfig',
      preFetchMedia: [
        {
          uri: 'https://cdn.contoso.com/beep.wav',
          resourceId: '1D6DE2D4-CD51-4309-8DAA-70768651088E'
        },
        {
          uri: 'https://cdn.contoso.com/cool.wav',
          resourceId: '1D6DE2D4-CD51-4309-8DAA-70768651088F'
        }
      ]
    }
  };

  await client.api(`/communications/calls/${values.id}/answer`)
    .post(answer);
}

export async function answerAppHostedMedia(Client, authProvider, values) {
  const options = {
    authProvider,
  };

  const client = Client.init(options);

  const answer = {
    callbackUri: values.callbackUri,
    acceptedModalities: ['audio'],
    mediaConfig: {
      '@odata.type': '#microsoft.graph.appHostedMediaConfig',
      blob: values.blob
    }
  };

  await client.api(`/communications/calls/${values.id}/answer`)
    .post(answer);
}

export async function invite(Client, authProvider, values) {
  const options = {
    authProvider,
  };

  const client = Client.init(options);

  const inviteParticipantsOperation = {
    participants: [
      {
        '@odata.type': '#microsoft.graph.invitationParticipantInfo',
        replacesCallId: values.replaces,
        identity: {
          '@odata.type': '#microsoft.graph.identitySet',
          user: {
            '@odata.type': '#microsoft.graph.identity',
            id: values.users[0],
            identityProvider: 'AAD'
          }
        }
      }
    ],
    clientContext: values.clientContext
  };

  return await client.api(`/communications/calls/${values.id}/participants/invite`)
    .post(inviteParticipantsOperation);
}

export async function inviteMultiple(Client, authProvider, values) {
  const options = {
    authProvider,
  };

  const client = Client.init(options);

  const inviteParticipantsOperation = {
    participants: values.users.map((id) => ({
      '@odata.type': '#microsoft.graph.invitationParticipantInfo',
      participantId: crypto.randomUUID(),
      identity: {
        '@odata.type': '#microsoft.graph.identitySet',
        user: {
          '@odata.type': '#microsoft.graph.identity',
          id,
          identityProvider: 'AAD'
        }
      }
    })),
    clientContext: values.clientContext
  };

  return await client.api(`/communications/calls/${values.id}/participants/invite`)
    .post(inviteParticipantsOperation);
}
